// SPDX-License-Identifier: AGPL-3.0-or-later

package described

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// correction is where the description says something else than the API does.
type correction struct {
	at     string // pointer into the description
	change change
	why    string
	source string // page of Meta's reference, below developers.facebook.com/documentation/business-messaging/whatsapp/
}

// change is what a correction does with what stands at a pointer.
type change func(holder any, key string, value any) error

func (c correction) apply(d object) error {
	holder, key, value, err := at(d, c.at)
	if err != nil {
		return err
	}
	if err := c.change(holder, key, value); err != nil {
		return fmt.Errorf("%s: %w", c.at, err)
	}
	return nil
}

// is puts a value there.
func is(value any) change {
	return func(holder any, key string, old any) error {
		h, ok := holder.(object)
		if !ok {
			return fmt.Errorf("it is in no object")
		}
		h[key] = copied(value)
		return nil
	}
}

// also adds to a list.
func also(values ...any) change {
	return func(holder any, key string, value any) error {
		old, _ := value.(list)
		holder.(object)[key] = append(slices.Clone(old), values...)
		return nil
	}
}

// without takes from a list.
func without(values ...any) change {
	return func(holder any, key string, value any) error {
		old, _ := value.(list)
		left := slices.DeleteFunc(slices.Clone(old), func(v any) bool { return slices.Contains(values, v) })
		if len(left) != len(old)-len(values) {
			return fmt.Errorf("not all of %v are there", values)
		}
		holder.(object)[key] = left
		return nil
	}
}

// has gives an object of the description more properties.
func has(properties object) change {
	return func(holder any, key string, value any) error {
		old, ok := value.(object)
		if !ok {
			return fmt.Errorf("it is no object")
		}
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			if old[name] != nil {
				return fmt.Errorf("%s is described", name)
			}
			old[name] = copied(properties[name])
		}
		return nil
	}
}

// namesakes turns references to schemas into such to their namesakes with a number behind the name: the description
// was put together from several, whose schemas were renamed where names clashed and not where they are referred to.
func namesakes(number string, names ...string) change {
	return func(_ any, _ string, value any) error {
		if !refer(value, number, names) {
			return fmt.Errorf("it does not refer to %v", names)
		}
		return nil
	}
}

func refer(v any, number string, names []string) (found bool) {
	switch v := v.(type) {
	case object:
		for key, value := range v {
			ref, ok := value.(string)
			if ok && slices.Contains(names, strings.TrimPrefix(ref, "#/components/schemas/")) {
				v[key] = ref + number
				found = true
			}
			found = refer(value, number, names) || found
		}
	case list:
		for _, value := range v {
			found = refer(value, number, names) || found
		}
	}
	return found
}

// Kinds of values.
var (
	str     = object{"type": "string"}
	boolean = object{"type": "boolean"}
	integer = object{"type": "integer"}
)

// Parts that several schemas lack.
var (
	throughput = object{"type": "object", "properties": object{"level": object{"enum": list{"STANDARD", "HIGH", "NOT_APPLICABLE"}}}}
	limits     = object{"enum": list{"TIER_250", "TIER_2K", "TIER_10K", "TIER_100K", "TIER_UNLIMITED"}}
	names      = object{"enum": list{"APPROVED", "AVAILABLE_WITHOUT_REVIEW", "DECLINED", "EXPIRED", "PENDING_REVIEW", "NONE"}}
	canSend    = object{"enum": list{"AVAILABLE", "LIMITED", "BLOCKED"}}
	health     = object{"type": "object", "required": list{"can_send_message", "entities"}, "properties": object{"can_send_message": canSend, "entities": object{"type": "array", "items": object{
		"type": "object", "required": list{"entity_type", "id", "can_send_message"}, "properties": object{
			"entity_type": object{"enum": list{"PHONE_NUMBER", "WABA", "BUSINESS", "APP", "MESSAGE_TEMPLATE"}}, "id": str, "can_send_message": canSend,
			"additional_info": object{"type": "array", "items": str}, "errors": object{"type": "array"}}}}}}
	automation = object{"type": "object", "properties": object{"enable_welcome_message": boolean, "prompts": object{"type": "array", "items": str},
		"commands": object{"type": "array", "items": refTo("BotCommand")}, "id": str}}
	errorData = object{"type": "object", "required": list{"details"}, "properties": object{"messaging_product": object{"const": "whatsapp"}, "details": str}}
)

func queryOf(name string) object { return object{"name": name, "in": "query", "schema": str} }

func refTo(name string) object { return object{"$ref": schemaAt(name)} }

func schemaAt(path string) string { return "#/components/schemas/" + path }

func operationAt(path, rest string) string {
	return "#/paths/" + strings.ReplaceAll("/{Version}/"+path, "/", "~1") + "/" + rest
}

var corrections = []correction{
	// What is sent.
	{schemaAt("BaseMessageProperties/properties"), has(object{"recipient": str, "biz_opaque_callback_data": object{"type": "string", "maxLength": 512}}),
		"a business-scoped user id addresses too, and our own id comes back with every status", "messages/send-messages; business-scoped-user-ids"},
	{schemaAt("BaseMessageProperties/required"), without("to"), "recipient may stand instead", "business-scoped-user-ids"},
	{operationAt("{Phone-Number-ID}/messages", "post/requestBody/content/application~1json/schema"), is(object{"anyOf": list{refTo("Message"), refTo("MarkMessageRequestPayload")}}),
		"messages are marked as read at the same address", "messages/mark-message-as-read"},
	{operationAt("{Phone-Number-ID}/messages", "post/responses/200/content/application~1json/schema"), is(object{"anyOf": list{refTo("MessageResponsePayload"), refTo("MarkMessageResponsePayload")}}),
		"and answered so", "messages/mark-message-as-read"},
	{schemaAt("MarkMessageRequestPayload/properties"), has(object{"typing_indicator": object{"type": "object", "properties": object{"type": object{"const": "text"}}, "required": list{"type"}}}),
		"that an answer is being written is shown with the mark", "typing-indicators"},
	{schemaAt("MessageResponsePayload/properties/contacts/items/properties"), has(object{"user_id": str}), "an answer names the user id that was addressed", "business-scoped-user-ids"},
	{schemaAt("AudioMessage"), namesakes("_1", "MediaObject"), "of the two schemas of files, that of messages", "messages/audio-messages"},
	{schemaAt("VideoMessage"), namesakes("_1", "MediaObject"), "the same", "messages/video-messages"},
	{schemaAt("ImageMessage"), namesakes("_1", "MediaObject"), "the same", "messages/image-messages"},
	{schemaAt("DocumentMessage"), namesakes("_1", "MediaObject"), "the same", "messages/document-messages"},
	{schemaAt("MediaObject_1/oneOf/0/properties"), has(object{"filename": str, "voice": boolean}), "a document has a name, and a sound may be a voice note", "messages/document-messages; messages/audio-messages"},
	{schemaAt("MediaObject_1/oneOf/1/properties"), has(object{"filename": str}), "a document by link has a name too", "messages/document-messages"},
	{schemaAt("MediaObject/oneOf/0/properties"), has(object{"filename": str}), "the document of a template has a name", "templates/components"},
	{schemaAt("MediaObject/oneOf/1/properties"), has(object{"filename": str}), "one by link in a header too", "messages/interactive-cta-url-messages"},
	{schemaAt("LanguageObject/required"), without("policy"), "there is but one policy, and Meta's own examples leave it out", "templates/overview"},
	{schemaAt("ParameterObject/properties"), has(object{"parameter_name": str}), "variables may have names", "templates/overview"},
	{"#/components/schemas", has(object{"LocationParameter": object{"type": "object", "required": list{"type", "location"}, "properties": object{
		"type": object{"const": "location"}, "location": object{"type": "object", "properties": object{"latitude": str, "longitude": str, "name": str, "address": str}}}}}),
		"a header may be a place", "templates/components"},
	{schemaAt("ParameterObject/discriminator/mapping"), has(object{"location": schemaAt("LocationParameter")}), "a header may be a place", "templates/components"},
	{schemaAt("ButtonComponent/allOf/1/properties/index/pattern"), is("^[0-9]$"), "buttons are counted from 0 to 9, as the text beside it says", "templates/components"},
	{schemaAt("InteractiveObject/properties/type/enum"), also("cta_url", "location_request_message", "contact_request"), "there are more kinds", "messages/interactive-cta-url-messages; messages/location-request-messages; business-scoped-user-ids"},
	{schemaAt("ActionObject/oneOf"), also(
		object{"required": list{"name", "parameters"}, "properties": object{"name": object{"const": "cta_url"}, "parameters": object{
			"type": "object", "required": list{"display_text", "url"}, "properties": object{"display_text": object{"type": "string", "maxLength": 20}, "url": str}}}},
		object{"required": list{"name"}, "properties": object{"name": object{"enum": list{"send_location", "request_contact_info"}}}}), "each with its action", "messages/interactive-cta-url-messages; messages/location-request-messages; business-scoped-user-ids"},

	// Files.
	{operationAt("{Phone-Number-ID}/media", "post/requestBody/content/multipart~1form-data/schema/properties"), has(object{"type": str}), "an upload says what it is", "business-phone-numbers/media"},

	{operationAt("{Media-ID}", "get/responses/200/content/application~1json/schema/properties/file_size"), is(object{"type": list{"integer", "string"}}),
		"its size is a number, though examples have it as text", "business-phone-numbers/media"},

	{schemaAt("GraphAPIError/properties/error/properties"), has(object{"error_data": errorData}), "what was wrong with which parameter stands there", "support/error-codes"},
	{schemaAt("GraphAPIError/properties"), has(object{"messaging_product": object{"const": "whatsapp"}, "block_users": object{"type": "object", "properties": object{
		"added_users": object{"type": "array", "items": refTo("BlockedUserOperation")}, "failed_users": object{"type": "array", "items": object{"type": "object", "required": list{"input", "errors"}}}}}}),
		"a request that failed for some and not for others says for whom beside the error", "block-users"},

	// Templates.
	{operationAt("{WABA-ID}/message_templates", "get/parameters"), also(queryOf("fields"), queryOf("limit"), queryOf("after")),
		"listings are paged, and tell the fields that are asked for", "templates/template-management"},
	{operationAt("{WABA-ID}/message_templates", "get/responses/200/content/application~1json/schema/properties/data/items/properties"), has(object{"parameter_format": object{"enum": list{"POSITIONAL", "NAMED"}}, "quality_score": object{"type": "object"}, "rejected_reason": str}),
		"a template tells more of itself", "templates/template-management"},
	{operationAt("{TEMPLATE_ID}", "get/responses/200/content/application~1json/schema/properties"), has(object{"parameter_format": object{"enum": list{"POSITIONAL", "NAMED"}}}), "the same", "templates/template-management"},
	{operationAt("{WABA-ID}/message_templates", "get/responses/200/content/application~1json/schema/properties/data/items/properties/components/items/properties/buttons/items/properties"),
		has(object{"url": str, "example": object{"type": "array", "items": str}}), "a button opens an address", "templates/components"},
	{operationAt("{TEMPLATE_ID}", "get/responses/200/content/application~1json/schema/properties/components/items/properties/buttons/items/properties"),
		has(object{"url": str, "example": object{"type": "array", "items": str}}), "the same", "templates/components"},
	{operationAt("{WABA-ID}/message_templates", "post/requestBody/content/application~1json/schema/properties"), has(object{
		"parameter_format": object{"enum": list{"POSITIONAL", "NAMED"}}, "message_send_ttl_seconds": integer}), "variables have names or places, and a message a time to live", "templates/overview; templates/time-to-live"},
	{operationAt("{WABA-ID}/message_templates", "post/requestBody/content/application~1json/schema/properties/components/items/properties"), has(object{
		"format": object{"enum": list{"TEXT", "IMAGE", "VIDEO", "DOCUMENT", "LOCATION"}}, "example": object{"type": "object"}}), "headers have a format, and variables examples", "templates/components"},

	// Accounts.
	{schemaAt("WhatsAppBusinessAccount/required"), without("name"), "an answer has the fields that are asked for", "whatsapp-business-accounts"},
	{schemaAt("WhatsAppBusinessAccount/properties"), has(object{"status": str, "health_status": health}), "an account tells more of itself", "whatsapp-business-accounts; support/health-status"},
	{schemaAt("BusinessVerificationStatus/enum"), also("verified", "not_verified"), "the Graph API writes it in small letters", "graph-api/reference/whats-app-business-account"},
	{schemaAt("SubscribedAppsResponse"), namesakes("_1", "SubscribedApp"), "of the two schemas of apps, that of subscriptions", "webhooks/override"},
	{schemaAt("SubscribedAppsResponse/properties"), has(object{"paging": object{"type": "object"}}), "every list of the Graph API is paged", "graph-api/results"},
	{schemaAt("SubscribedApp_1"), namesakes("_1", "WhatsAppBusinessApiData"), "the same", "webhooks/override"},

	// Numbers.
	{schemaAt("PhoneNumberInfo/properties"), has(object{"status": str, "platform_type": str, "throughput": throughput, "whatsapp_business_manager_messaging_limit": limits,
		"account_mode": str, "is_pin_enabled": boolean, "webhook_configuration": object{"type": "object"}, "health_status": health, "conversational_automation": automation, "last_onboarded_time": str}),
		"a number tells more of itself", "business-phone-numbers/phone-numbers; support/health-status"},
	{schemaAt("PhoneNumberInfo/properties/code_verification_status/enum"), also("NOT_VERIFIED"), "it is called so", "business-phone-numbers/phone-numbers"},
	{schemaAt("PhoneNumberInfo/properties/quality_rating/enum"), also("UNKNOWN"), "a new number has none yet", "business-phone-numbers/phone-numbers"},
	{schemaAt("WhatsAppBusinessAccountPhoneNumber/properties"), has(object{"platform_type": str, "throughput": throughput, "whatsapp_business_manager_messaging_limit": limits,
		"is_pin_enabled": boolean, "name_status": names}), "a number tells more of itself", "business-phone-numbers/phone-numbers"},
	{schemaAt("WhatsAppBusinessAccountPhoneNumber/required"), without("status"), "an answer has the fields that are asked for", "business-phone-numbers/phone-numbers"},
	{schemaAt("WhatsAppPhoneNumberStatus/enum"), also("CONNECTED"), "a number that sends is connected", "business-phone-numbers/phone-numbers"},
	{schemaAt("WhatsAppCodeVerificationStatus/enum"), also("NOT_VERIFIED"), "it is called so", "business-phone-numbers/phone-numbers"},
	{schemaAt("WhatsAppPhoneNumberQualityRating/enum"), also("UNKNOWN"), "a new number has none yet", "business-phone-numbers/phone-numbers"},
	{schemaAt("PhoneNumberCreateRequest/properties/phone_number/pattern"), is("^[0-9]{4,14}$"), "in Italy numbers of landlines begin with 0, also abroad", "business-phone-numbers/phone-numbers"},
	{schemaAt("RequestCodeRequest/properties/language"), is(object{"type": "string", "pattern": "^[a-z]{2,3}(_[A-Z]{2})?$"}), "Italian has no country", "business-phone-numbers/registration"},
	{operationAt("{Phone-Number-ID}/block_users", "get/parameters"), also(queryOf("limit")), "the list is paged", "block-users"},
	{operationAt("{Phone-Number-ID}/block_users", "post/requestBody/content/application~1json/schema/properties/block_users/items/properties"), has(object{"user_id": str}), "people are blocked by user id too", "business-scoped-user-ids"},
	{operationAt("{Phone-Number-ID}/block_users", "delete/requestBody/content/application~1json/schema/properties/block_users/items/properties"), has(object{"user_id": str}), "the same", "business-scoped-user-ids"},
	{schemaAt("BlockedUserOperation/properties"), has(object{"user_id": str}), "people are blocked by user id too", "business-scoped-user-ids"},
	{schemaAt("BlockedUser/properties"), has(object{"user_id": str}), "people are blocked by user id too", "business-scoped-user-ids"},
	{operationAt("{Phone-Number-ID}/message_qrdls/{QR-Code-ID}", "get/responses/200/content/application~1json/schema"), namesakes("_1", "QrCodeResponse"), "of the two schemas of answers, that with a list of one, as the text beside it says", "qr-codes"},
	{operationAt("{Phone-Number-ID}/message_qrdls", "get/parameters/6/schema/maximum"), is(2000.0), "a number has up to 2,000 links", "qr-codes"},
	{schemaAt("StorageConfigurationSettings"), is(object{"type": "object", "required": list{"status"}, "properties": object{"status": object{"enum": list{"IN_COUNTRY_STORAGE_ENABLED", "DEFAULT"}}, "data_localization_region": str}}), "it is called so", "local-storage"},
	{schemaAt("StorageConfigurationSettingsResponse/properties/status/enum"), also("IN_COUNTRY_STORAGE_ENABLED"), "it is answered as it is set", "local-storage"},
	{schemaAt("UserIdentityChangeSettings"), is(object{"type": "object", "required": list{"enable_identity_key_check"}, "properties": object{"enable_identity_key_check": boolean}}), "it is called so", "business-phone-numbers/settings"},
	{schemaAt("PhoneNumberSettingsResponse/properties"), has(object{"user_identity_change": refTo("UserIdentityChangeSettings")}), "the setting is answered too", "business-phone-numbers/settings"},
	{schemaAt("PhoneNumberSettingsResponse/required"), without("calling"), "a number that never called has no such settings", "business-phone-numbers/settings"},
	{schemaAt("WhatsAppBusinessProfileUpdateRequest/properties/email"), is(object{"type": "string", "maxLength": 128, "anyOf": list{object{"const": ""}, object{"format": "email"}}}), "an empty text takes the address away", "business-profiles"},
	{schemaAt("WhatsAppBusinessProfileResponse/properties/data/items"), is(refTo("WhatsAppBusinessProfile")), "the profile stands in the list itself", "business-profiles"},
	{schemaAt("ConversationalAutomationRequest/properties/prompts/maxItems"), is(4.0), "there may be four", "business-phone-numbers/conversational-components"},

	// Webhooks.
	{schemaAt("IncomingMessage"), namesakes("_2", "TextMessage"), "texts that come, not texts that go", "webhooks/reference/messages/text"},
	{schemaAt("IncomingMessage"), namesakes("_1", "ReactionMessage", "AudioMessage", "DocumentMessage", "ImageMessage", "StickerMessage", "VideoMessage", "LocationMessage"),
		"the same of all that goes and comes", "webhooks/reference/messages"},
	{schemaAt("TextMessage_2"), namesakes("_1", "BaseMessageProperties"), "and of what they have in common", "webhooks/reference/messages/text"},
	{schemaAt("ReactionMessage_1"), namesakes("_1", "BaseMessageProperties"), "the same", "webhooks/reference/messages/reaction"},
	{schemaAt("AudioMessage_1"), namesakes("_1", "BaseMessageProperties"), "the same", "webhooks/reference/messages/audio"},
	{schemaAt("DocumentMessage_1"), namesakes("_1", "BaseMessageProperties"), "the same", "webhooks/reference/messages/document"},
	{schemaAt("ImageMessage_1"), namesakes("_1", "BaseMessageProperties"), "the same", "webhooks/reference/messages/image"},
	{schemaAt("StickerMessage_1"), namesakes("_1", "BaseMessageProperties"), "the same", "webhooks/reference/messages/sticker"},
	{schemaAt("VideoMessage_1"), namesakes("_1", "BaseMessageProperties"), "the same", "webhooks/reference/messages/video"},
	{schemaAt("LocationMessage_1"), namesakes("_1", "BaseMessageProperties"), "the same", "webhooks/reference/messages/location"},
	{schemaAt("ContactSharingMessage"), namesakes("_1", "BaseMessageProperties", "ContactObject"), "the same", "webhooks/reference/messages/contacts"},
	{schemaAt("ButtonMessage"), namesakes("_1", "BaseMessageProperties"), "the same", "webhooks/reference/messages/button"},
	{schemaAt("InteractiveMessageReply"), namesakes("_1", "BaseMessageProperties"), "the same", "webhooks/reference/messages/interactive"},
	{schemaAt("SystemMessage"), namesakes("_1", "BaseMessageProperties"), "the same", "webhooks/reference/messages/system"},
	{schemaAt("OrderMessage"), namesakes("_1", "BaseMessageProperties"), "the same", "webhooks/reference/messages/order"},
	{schemaAt("UnsupportedMessage"), namesakes("_1", "BaseMessageProperties"), "the same", "webhooks/reference/messages/unsupported"},
	{schemaAt("UnsupportedMessage"), namesakes("_2", "ErrorObject"), "of the errors, those of webhooks", "webhooks/reference/messages/unsupported"},
	{schemaAt("UnsupportedMessage/allOf/1/properties"), has(object{"unsupported": object{"type": "object", "required": list{"type"}, "properties": object{"type": str}}}), "what it was", "webhooks/reference/messages/unsupported"},
	{schemaAt("BaseMessageProperties_1/properties"), has(object{"from_user_id": str}), "the sender's user id", "business-scoped-user-ids"},
	{schemaAt("BaseMessageProperties_1/required"), without("from"), "a sender with a username may have no phone to show", "business-scoped-user-ids"},
	{schemaAt("ContextObject/required"), without("referred_product"), "a reply is to a message, and seldom about a product", "webhooks/reference/messages/text"},
	{schemaAt("MediaMessageProperties/properties"), has(object{"url": str}), "where the file is", "webhooks/reference/messages/image"},
	{schemaAt("LocationMessage_1/allOf/1/properties/location/required"), without("address", "name"), "a place without a name has none", "webhooks/reference/messages/location"},
	{schemaAt("ReactionMessage_1/allOf/1/properties/reaction/required"), without("emoji"), "a reaction taken away has none", "webhooks/reference/messages/reaction"},
	{schemaAt("InteractiveListReplyContent/properties"), has(object{"type": object{"const": "list_reply"}}), "the part that is chosen is where the choice stands", "webhooks/reference/messages/interactive"},
	{schemaAt("InteractiveButtonReplyContent/properties"), has(object{"type": object{"const": "button_reply"}}), "the same", "webhooks/reference/messages/interactive"},
	{schemaAt("InteractiveListReplyContent/properties/list_reply/required"), without("description"), "rows may have none", "webhooks/reference/messages/interactive"},
	{schemaAt("ContactProfile/properties"), has(object{"user_id": str, "identity_key_hash": str}), "the contact's user id, and what identifies their phone where that is asked for", "business-scoped-user-ids; business-phone-numbers/settings"},
	{schemaAt("ContactObject_1/properties"), has(object{"origin": object{"enum": list{"contact_request", "other"}}, "vcard": str}), "whose card it is", "business-scoped-user-ids"},
	{schemaAt("SystemMessage/allOf/1/properties"), has(object{"identity": object{"type": "object", "required": list{"hash"}, "properties": object{"acknowledged": boolean, "created_timestamp": str, "hash": str}}}),
		"another telephone makes another identity", "webhooks/reference/messages/system"},
	{schemaAt("SystemMessage/allOf/1/properties/system/properties/type/enum"), also("user_changed_user_id", "customer_identity_changed"), "what else may change", "webhooks/reference/messages/system; business-scoped-user-ids"},
	{schemaAt("ContactProfile/properties/profile/properties"), has(object{"username": str}), "the contact's username", "business-scoped-user-ids"},
	{schemaAt("SystemMessage/allOf/1/properties/system/properties"), has(object{"user_id": str, "previous_user_id": str, "identity": str}), "another number makes another user id", "changelog"},
	{schemaAt("IncomingMessageValueGeneral/properties"), has(object{"statuses": object{"type": "array", "items": refTo("Statuses")}}), "messages and statuses may come together", "webhooks/overview"},
	{schemaAt("StatusMessageValue/properties"), has(object{"contacts": object{"type": "array", "items": refTo("ContactProfile")}}), "statuses name whom they are about", "business-scoped-user-ids"},
	{schemaAt("Statuses/properties"), has(object{"recipient_user_id": str, "biz_opaque_callback_data": str}), "the recipient's user id, and our own", "webhooks/reference/messages/status; business-scoped-user-ids"},
	{schemaAt("Statuses/properties/status/enum"), also("played"), "voice notes are played", "webhooks/reference/messages/status"},
	{schemaAt("Statuses/required"), without("recipient_id"), "a recipient with a username may have no phone to show", "business-scoped-user-ids"},
	{schemaAt("Pricing/properties"), has(object{"type": object{"enum": list{"regular", "free_customer_service", "free_entry_point"}}}), "what is charged", "pricing"},
}
