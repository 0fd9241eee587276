// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
)

// Content is what a message holds besides its text.
type Content struct {
	Contacts    []any                    `json:"contacts" nullable:"false" doc:"Contact cards, in WhatsApp's words"`
	OwnPhone    bool                     `json:"own_phone" doc:"The card is the citizen's own, given because the office asked"`
	Interactive nullable[Interactive]    `json:"interactive" doc:"What the office put around the text for the citizen to tap"`
	Choice      nullable[Choice]         `json:"choice" doc:"The button pressed or the row chosen"`
	Form        nullable[Form]           `json:"form"`
	Order       nullable[Order]          `json:"order"`
	Call        nullable[CallPermission] `json:"call" doc:"The answer to the question whether the office may call"`
	Referral    nullable[Referral]       `json:"referral" doc:"The advertisement or post that brought the citizen here"`
	Product     nullable[Product]        `json:"product" doc:"The product asked about"`
	Forwarded   string                   `json:"forwarded" enum:"no,yes,often" doc:"Often is more than five times"`
	System      *string                  `json:"system" example:"user_changed_number" doc:"What a system message tells, in WhatsApp's words"`
	NewPhone    *string                  `json:"new_phone" example:"+393339876543" doc:"Of a system message that tells of a change of number"`
	Unsupported *string                  `json:"unsupported" example:"poll" doc:"What an unsupported message was, in WhatsApp's words"`
	Problems    []Failure                `json:"problems" nullable:"false" doc:"What Meta says is missing from a message that came in"`
	Raw         any                      `json:"raw" doc:"What can't be told whole, as it came; null for all else"`
}

// Choice is a button or a row.
type Choice struct {
	ID          string  `json:"id" example:"join:EMERGENZE"`
	Title       string  `json:"title" example:"Emergenze"`
	Description *string `json:"description"`
	Section     *string `json:"section" doc:"The title over a list's row, where a list of ours has several parts"`
}

// Form holds the answers to a form of WhatsApp's.
type Form struct {
	Name    string `json:"name" example:"flow"`
	Answers any    `json:"answers" doc:"As they came, mostly an object; null where they were no JSON: then they are the text"`
}

// Order is what a citizen ordered from a catalogue.
type Order struct {
	Catalog string      `json:"catalog"`
	Items   []OrderItem `json:"items" nullable:"false"`
}

// OrderItem is a line of an order.
type OrderItem struct {
	Product  string  `json:"product"`
	Quantity *string `json:"quantity" example:"2"`
	Price    *string `json:"price" example:"10.50"`
	Currency *string `json:"currency" example:"EUR"`
}

// CallPermission tells whether the office may call.
type CallPermission struct {
	Granted bool       `json:"granted"`
	Until   *time.Time `json:"until"`
}

// Referral is an advertisement or post.
type Referral struct {
	URL      *string `json:"url"`
	Headline *string `json:"headline"`
	Body     *string `json:"body"`
	Source   *string `json:"source" example:"ad"`
}

// Product is one of a catalogue.
type Product struct {
	Catalog string `json:"catalog"`
	ID      string `json:"id"`
}

func newContent(d conversation.Detail) Content {
	out := Content{Contacts: []any{}, OwnPhone: d.OwnPhone, Forwarded: "no", System: known(d.System), Unsupported: known(d.Kind), Problems: []Failure{}, Raw: decoded(d.Raw)}
	if cards, ok := decoded(d.Contacts).([]any); ok {
		out.Contacts = cards
	}
	switch {
	case d.Often:
		out.Forwarded = "often"
	case d.Forwarded:
		out.Forwarded = "yes"
	}
	if d.Phone != "" {
		out.NewPhone = new("+" + d.Phone)
	}
	for _, p := range d.Problems {
		out.Problems = append(out.Problems, Failure{Code: p.Code, Detail: p.Detail})
	}
	if c := d.Choice; c != nil {
		out.Choice = some(Choice{ID: c.ID, Title: c.Title, Description: known(c.Description)})
	}
	if i := d.Interactive; i != nil {
		out.Interactive = some(newInteractive(*i))
	}
	if f := d.Form; f != nil {
		out.Form = some(Form{Name: f.Name, Answers: decoded(f.Answers)})
	}
	if o := d.Order; o != nil {
		out.Order = some(newOrder(*o))
	}
	if c := d.Call; c != nil {
		out.Call = some(CallPermission{Granted: c.Granted, Until: c.Until})
	}
	if r := d.Referral; r != nil {
		out.Referral = some(Referral{URL: known(r.URL), Headline: known(r.Headline), Body: known(r.Body), Source: known(r.Source)})
	}
	if p := d.Product; p != nil {
		out.Product = some(Product{Catalog: p.Catalog, ID: p.ID})
	}
	return out
}

func newOrder(o conversation.Order) Order {
	out := Order{Catalog: o.Catalog, Items: []OrderItem{}}
	for _, i := range o.Items {
		out.Items = append(out.Items, OrderItem{Product: i.Product, Quantity: known(i.Quantity), Price: known(i.Price), Currency: known(i.Currency)})
	}
	return out
}

// decoded is kept JSON as a value; null where there is none.
func decoded(raw json.RawMessage) any {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return nil
	}
	return v
}

// Version is what a message said for a time.
type Version struct {
	Text string    `json:"text"`
	At   time.Time `json:"at" doc:"Since when"`
}

func revisionsOf(ctx context.Context, tx *db.Tx, messages []conversation.Message) (map[string][]conversation.Revision, error) {
	var targets []string
	for _, m := range messages {
		if m.EditedAt != nil {
			targets = append(targets, m.ExternalID)
		}
	}
	return conversation.Revisions(ctx, tx, callOf(ctx).actor.Municipality, targets)
}

// earlier are the versions of a message without the last, which is its text.
func earlier(history []conversation.Revision) []Version {
	versions := []Version{}
	for _, r := range history {
		if r.Kind != conversation.Revoke && !r.SameText {
			versions = append(versions, Version{Text: r.Text, At: r.At})
		}
	}
	return versions[:max(len(versions)-1, 0)]
}

// Pricing is how Meta counts a message.
type Pricing struct {
	Category string `json:"category" example:"utility"`
	Type     string `json:"type" example:"regular" doc:"Regular is charged; what begins with free is not; of others the price is unknown"`
}
