// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/fault"
)

// NewInteractive is a text with something to tap: buttons, a list or a link, one of them.
type NewInteractive struct {
	_       struct{}   `additionalProperties:"false"`
	Text    string     `json:"text" example:"Vuole un appuntamento?" doc:"Up to 1,024 characters; above a list up to 4,096"`
	Header  string     `json:"header,omitempty" doc:"Above the text, up to 60 characters"`
	MediaID string     `json:"media_id,omitempty" doc:"Id of a file in the header's place, above buttons or a link"`
	Footer  string     `json:"footer,omitempty" doc:"Below the text, up to 60 characters"`
	Buttons []NewReply `json:"buttons,omitempty" nullable:"false" doc:"Up to 3 reply buttons"`
	List    *NewList   `json:"list,omitempty"`
	Link    *NewLink   `json:"link,omitempty"`
}

// NewReply is a reply button.
type NewReply struct {
	_     struct{} `additionalProperties:"false"`
	ID    string   `json:"id" example:"appuntamento:si" doc:"Comes back in content.choice, up to 200 characters"`
	Title string   `json:"title" example:"Sì" doc:"Up to 20 characters"`
}

// NewList is a list that opens from a button.
type NewList struct {
	_      struct{} `additionalProperties:"false"`
	Button string   `json:"button" example:"Scegli" doc:"Up to 20 characters"`
	Rows   []NewRow `json:"rows" nullable:"false" doc:"Up to 10"`
}

// NewRow is a row of a list.
type NewRow struct {
	_           struct{} `additionalProperties:"false"`
	ID          string   `json:"id" example:"sportello:anagrafe" doc:"Comes back in content.choice, up to 200 characters"`
	Title       string   `json:"title" example:"Anagrafe" doc:"Up to 24 characters"`
	Description string   `json:"description,omitempty" doc:"Up to 72 characters"`
	Section     string   `json:"section,omitempty" example:"Documenti" doc:"The title over this row and those beside it of the same, up to 24 characters; of all rows or of none"`
}

// NewLink is a button that opens a web address.
type NewLink struct {
	_     struct{} `additionalProperties:"false"`
	Label string   `json:"label" example:"Apri il modulo" doc:"Up to 20 characters"`
	URL   string   `json:"url" example:"https://comune.example/modulo"`
}

// NewQuestion is a text that asks for something with one tap.
type NewQuestion struct {
	_    struct{} `additionalProperties:"false"`
	Text string   `json:"text" example:"Dove si trova la buca?" doc:"Up to 1,024 characters"`
}

var errOffer = fault.New(fault.Invalid, "api.interactive_form")

// offer is what an interactive message is in a conversation.
func (n NewInteractive) offer() (*conversation.Interactive, error) {
	things := 0
	for _, there := range []bool{len(n.Buttons) > 0, n.List != nil, n.Link != nil} {
		if there {
			things++
		}
	}
	if things != 1 {
		return nil, errOffer
	}
	out := &conversation.Interactive{Header: n.Header, Footer: n.Footer}
	for _, b := range n.Buttons {
		out.Choices = append(out.Choices, conversation.Choice{ID: b.ID, Title: b.Title})
	}
	if l := n.List; l != nil {
		if out.Button = l.Button; l.Button == "" {
			return nil, conversation.ErrListButton
		}
		for _, r := range l.Rows {
			out.Choices = append(out.Choices, conversation.Choice{ID: r.ID, Title: r.Title, Description: r.Description, Section: r.Section})
		}
	}
	if l := n.Link; l != nil {
		if out.Button, out.URL = l.Label, l.URL; l.URL == "" {
			return nil, conversation.ErrLink
		}
	}
	return out, nil
}

// Interactive is what stands around a text for the citizen to tap.
type Interactive struct {
	Kind    string   `json:"kind" enum:"buttons,list,link,location_request,contact_request"`
	Header  *string  `json:"header"`
	Footer  *string  `json:"footer"`
	Button  *string  `json:"button" doc:"The label that opens the list, or the link"`
	Choices []Choice `json:"choices" nullable:"false" doc:"Of buttons and lists"`
	URL     *string  `json:"url" doc:"Of a link"`
}

func newInteractive(i conversation.Interactive) Interactive {
	out := Interactive{Kind: string(i.Kind()), Header: known(i.Header), Footer: known(i.Footer), Button: known(i.Button), URL: known(i.URL), Choices: []Choice{}}
	for _, c := range i.Choices {
		out.Choices = append(out.Choices, Choice{ID: c.ID, Title: c.Title, Description: known(c.Description), Section: known(c.Section)})
	}
	return out
}
