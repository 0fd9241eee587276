// SPDX-License-Identifier: AGPL-3.0-or-later

package simulator

import (
	"fmt"
	"net/http"
)

// graphError is a refusal in the shape the Graph API gives it.
// Source: https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
type graphError struct {
	Code    int    `json:"code"`
	Subcode int    `json:"subcode,omitempty"`
	Kind    string `json:"kind,omitempty"` // "type" on the wire; OAuthException unless set
	Title   string `json:"title,omitempty"`
	Details string `json:"details,omitempty"`

	partly any // what was done all the same, for block_users
}

type knownError struct {
	status int
	title  string
}

// knownErrors are Meta's codes with the HTTP status of a synchronous answer.
var knownErrors = map[int]knownError{
	0:       {http.StatusUnauthorized, "AuthException"},
	101:     {http.StatusBadRequest, "Error validating application"},
	1:       {http.StatusBadRequest, "API Unknown"},
	2:       {http.StatusServiceUnavailable, "API Service"},
	3:       {http.StatusInternalServerError, "API Method"},
	4:       {http.StatusBadRequest, "Application request limit reached"},
	15:      {http.StatusBadRequest, "App access token needed"},
	10:      {http.StatusForbidden, "Permission Denied"},
	33:      {http.StatusBadRequest, "Parameter value is not valid"},
	100:     {http.StatusBadRequest, "Invalid parameter"},
	190:     {http.StatusUnauthorized, "Access token has expired"},
	200:     {http.StatusForbidden, "Permissions error"},
	368:     {http.StatusForbidden, "Temporarily blocked for policies violations"},
	2200:    {http.StatusBadRequest, "Callback verification failed"},
	2500:    {http.StatusBadRequest, "Unknown path components"},
	80007:   {http.StatusBadRequest, "Rate limit issues"},
	130429:  {http.StatusBadRequest, "Rate limit hit"},
	130472:  {http.StatusBadRequest, "User's number is part of an experiment"},
	130497:  {http.StatusForbidden, "Business account is restricted from messaging users in this country"},
	131000:  {http.StatusInternalServerError, "Something went wrong"},
	131005:  {http.StatusForbidden, "Access denied"},
	131008:  {http.StatusBadRequest, "Required parameter is missing"},
	131009:  {http.StatusBadRequest, "Parameter value is not valid"},
	131016:  {http.StatusInternalServerError, "Service unavailable"},
	131021:  {http.StatusBadRequest, "Recipient cannot be sender"},
	131026:  {http.StatusBadRequest, "Message undeliverable"},
	131030:  {http.StatusBadRequest, "Recipient phone number not in allowed list"},
	131031:  {http.StatusForbidden, "Account has been locked"},
	131037:  {http.StatusBadRequest, "Display name approval is needed before sending"},
	131042:  {http.StatusBadRequest, "Business eligibility payment issue"},
	131045:  {http.StatusInternalServerError, "Incorrect certificate"},
	131047:  {http.StatusBadRequest, "Re-engagement message"},
	131048:  {http.StatusBadRequest, "Spam rate limit hit"},
	131049:  {http.StatusBadRequest, "Meta chose not to deliver"},
	131050:  {http.StatusBadRequest, "User has stopped marketing messages"},
	131051:  {http.StatusBadRequest, "Unsupported message type"},
	131052:  {http.StatusBadRequest, "Media download error"},
	131053:  {http.StatusBadRequest, "Media upload error"},
	131056:  {http.StatusBadRequest, "(Business Account, Consumer Account) pair rate limit hit"},
	131057:  {http.StatusInternalServerError, "Account in maintenance mode"},
	131059:  {http.StatusBadRequest, "Invalid cursor"},
	131062:  {http.StatusBadRequest, "Business-scoped user id recipient not supported"},
	131064:  {http.StatusBadRequest, "Messaging limit reached because of template category violations"},
	132000:  {http.StatusBadRequest, "Template param count mismatch"},
	132001:  {http.StatusNotFound, "Template does not exist"},
	132005:  {http.StatusBadRequest, "Template hydrated text too long"},
	132007:  {http.StatusBadRequest, "Template format character policy violated"},
	132012:  {http.StatusBadRequest, "Template parameter format mismatch"},
	132015:  {http.StatusBadRequest, "Template is paused"},
	132016:  {http.StatusBadRequest, "Template is disabled"},
	132018:  {http.StatusBadRequest, "Template parameter problem"},
	133004:  {http.StatusServiceUnavailable, "Server temporarily unavailable"},
	133005:  {http.StatusBadRequest, "Two step verification PIN mismatch"},
	133006:  {http.StatusBadRequest, "Phone number re-verification needed"},
	133010:  {http.StatusBadRequest, "Phone number not registered"},
	133016:  {http.StatusBadRequest, "Account register deregister rate limit exceeded"},
	137000:  {http.StatusBadRequest, "Recipient identity key hash mismatch"},
	134011:  {http.StatusBadRequest, "WhatsApp Payments terms of service not accepted"},
	135000:  {http.StatusBadRequest, "Generic user error"},
	136024:  {http.StatusBadRequest, "Verify code error"},
	139101:  {http.StatusBadRequest, "Block list is full"},
	147001:  {http.StatusBadRequest, "Username is not available"},
	147002:  {http.StatusBadRequest, "Messaging limit too low for a username"},
	2494100: {http.StatusBadRequest, "Phone number is in maintenance mode"},
	139100:  {http.StatusBadRequest, "Failed to block/unblock users"},
	139200:  {http.StatusBadRequest, "Direct Send access blocked"},
}

// refuse makes the error Meta gives for code; details say what was wrong with which parameter.
func refuse(code int, details string, args ...any) *graphError {
	if len(args) > 0 {
		details = fmt.Sprintf(details, args...)
	}
	return &graphError{Code: code, Details: details}
}

// userTitles are the mistakes of management calls, which Meta tells by their subcode and in words for people.
var userTitles = map[int]string{
	2388019: "Message template limit exceeded",
	2388024: "Content in this language already exists",
	2388040: "Character limit exceeded",
	2388043: "Message template components are missing expected fields",
	2388047: "Header format is incorrect",
	2388072: "Body format is incorrect",
	2388073: "Footer format is incorrect",
	2388293: "Parameters words ratio exceeds limit",
	2388299: "Leading or trailing params not allowed",
	2593002: "Message template not found",
}

// mistaken makes the error of a management call: code 100 with a subcode, and words for people in the place of details.
func mistaken(subcode int, words string, args ...any) *graphError {
	e := refuse(100, words, args...)
	e.Subcode = subcode
	return e
}

// unknownObject is Meta's answer for an id that does not exist or that the token may not see: the two look alike on purpose.
func unknownObject(method, id string) *graphError {
	return &graphError{Code: 100, Subcode: 33, Kind: "GraphMethodException", Title: fmt.Sprintf(
		"Unsupported %s request. Object with ID '%s' does not exist, cannot be loaded due to missing permissions, or does not support this operation",
		lowerMethod(method), id)}
}

func lowerMethod(method string) string {
	switch method {
	case http.MethodPost:
		return "post"
	case http.MethodDelete:
		return "delete"
	default:
		return "get"
	}
}

func (e *graphError) Error() string { return e.message() }

func (e *graphError) title() string {
	if e.Title != "" {
		return e.Title
	}
	if known, ok := knownErrors[e.Code]; ok {
		return known.title
	}
	return "Unknown error"
}

func (e *graphError) message() string {
	if e.Subcode == 33 || e.Kind != "" || e.Code == 190 || e.Code == 101 || e.Subcode == 36009 || e.Code == 0 || userTitles[e.Subcode] != "" {
		return e.title()
	}
	return fmt.Sprintf("(#%d) %s", e.Code, e.title())
}

func (e *graphError) status() int {
	if known, ok := knownErrors[e.Code]; ok {
		return known.status
	}
	return http.StatusBadRequest
}

type errorBody struct {
	MessagingProduct string      `json:"messaging_product,omitempty"`
	BlockUsers       any         `json:"block_users,omitempty"`
	Error            errorFields `json:"error"`
}

type errorFields struct {
	Message     string     `json:"message"`
	Type        string     `json:"type"`
	Code        int        `json:"code"`
	Subcode     int        `json:"error_subcode,omitempty"`
	IsTransient *bool      `json:"is_transient,omitempty"`
	UserTitle   string     `json:"error_user_title,omitempty"`
	UserMessage string     `json:"error_user_msg,omitempty"`
	ErrorData   *errorData `json:"error_data,omitempty"`
	TraceID     string     `json:"fbtrace_id"`
}

type errorData struct {
	MessagingProduct string `json:"messaging_product,omitempty"`
	Details          string `json:"details"`
}

func (e *graphError) body(trace string) errorBody {
	f := errorFields{Message: e.message(), Type: e.Kind, Code: e.Code, Subcode: e.Subcode, TraceID: trace}
	if f.Type == "" {
		f.Type = "OAuthException"
	}
	if title := userTitles[e.Subcode]; title != "" {
		f.IsTransient, f.UserTitle, f.UserMessage = new(false), title, e.Details
	} else if e.Details != "" {
		f.ErrorData = &errorData{MessagingProduct: "whatsapp", Details: e.Details}
	}
	body := errorBody{Error: f, BlockUsers: e.partly}
	if e.partly != nil {
		body.MessagingProduct = "whatsapp"
	}
	return body
}

// webhookError is the same failure as a status webhook carries it.
type webhookError struct {
	Code      int       `json:"code"`
	Title     string    `json:"title"`
	Message   string    `json:"message"`
	ErrorData errorData `json:"error_data"`
	Href      string    `json:"href"`
}

func (e *graphError) webhook() webhookError {
	details := e.Details
	if details == "" {
		details = e.title()
	}
	return webhookError{Code: e.Code, Title: e.title(), Message: e.title(), ErrorData: errorData{Details: details},
		Href: "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes"}
}
