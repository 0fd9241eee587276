// SPDX-License-Identifier: AGPL-3.0-or-later

package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/filodiretto/filodiretto/internal/conversation"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
	"github.com/filodiretto/filodiretto/internal/media"
	"github.com/filodiretto/filodiretto/internal/staff"
)

// Message is a message of the citizen or of the office. Notes are the staff's own and are not among them.
type Message struct {
	ID             string             `json:"id" example:"3797402938376193"`
	ConversationID *string            `json:"conversation_id" example:"3797402938376192" doc:"Null for what belongs to no conversation"`
	BroadcastID    *string            `json:"broadcast_id" example:"3797402938376199" doc:"Of a copy that went to a citizen on a list; null for all others"`
	Direction      string             `json:"direction" enum:"in,out"`
	Type           string             `json:"type" enum:"text,image,video,audio,voice,document,sticker,location,contacts,reaction,choice,form,order,template,interactive,system,unsupported"`
	Text           string             `json:"text" example:"Buongiorno, a che ora apre l’anagrafe?" doc:"What a person reads: the text, a caption, a template filled in, what was chosen, the emoji of a reaction"`
	Media          []Media            `json:"media" nullable:"false"`
	Location       nullable[Location] `json:"location"`
	Content        Content            `json:"content"`
	EditedAt       *time.Time         `json:"edited_at" doc:"When the citizen last changed it; the text is the new one"`
	RevokedAt      *time.Time         `json:"revoked_at" doc:"When the citizen took it back; what it said is kept for the record"`
	Earlier        []Version          `json:"earlier" nullable:"false" doc:"What it said before it was changed, oldest first"`
	ReplyTo        *string            `json:"reply_to" example:"3797402938376189" doc:"Id of the message it quotes or reacts to, if that is known"`
	Status         string             `json:"status" enum:"received,queued,sending,uncertain,accepted,held,sent,failed,delivered,read,played,cancelled,skipped" doc:"Received is the citizen's. The others go forward only; uncertain is what may or may not have been sent"`
	Error          nullable[Failure]  `json:"error"`
	Pricing        nullable[Pricing]  `json:"pricing" doc:"How Meta counts what was sent; null until it told"`
	ExternalID     *string            `json:"external_id" example:"wamid.HBgMMzkzNDcxMjM0NTY3" doc:"WhatsApp's id; null until it gave one"`
	Author         nullable[Actor]    `json:"author" doc:"Null is the citizen"`
	At             time.Time          `json:"at" example:"2026-03-02T09:42:00Z" doc:"WhatsApp's time of what came in, ours of what goes out"`
}

// Location is a place.
type Location struct {
	Latitude  float64 `json:"latitude" example:"44.0594"`
	Longitude float64 `json:"longitude" example:"12.5683"`
	Name      *string `json:"name" example:"Ponte di Tiberio"`
	Address   *string `json:"address"`
}

// Failure is why a message was not delivered.
type Failure struct {
	Code   int    `json:"code" example:"131026" doc:"Meta's error code; 0 when it never got there"`
	Detail string `json:"detail" doc:"What Meta said, or what to do"`
}

type (
	oneMessage  struct{ Body Message }
	sentMessage struct {
		Location string `header:"Location" doc:"Where to see what becomes of the message"`
		Body     Message
	}
	someMessages struct{ Body Page[Message] }
)

type listMessages struct {
	ID string `path:"id" example:"3797402938376192"`
	Paging
}

type messageID struct {
	ID string `path:"id" example:"3797402938376193"`
}

func (s *server) messageRoutes(api huma.API) {
	register(s, api, huma.Operation{OperationID: "listMessages", Method: http.MethodGet, Path: "/conversations/{id}/messages", Tags: []string{"messages"},
		Summary: "List the messages of a conversation, oldest first", Description: "Reactions are messages; internal notes are not shown."},
		[]int{http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity}, s.listMessages)
	register(s, api, huma.Operation{OperationID: "getMessage", Method: http.MethodGet, Path: "/messages/{id}", Tags: []string{"messages"},
		Summary: "Get a message, and what became of it"},
		[]int{http.StatusForbidden, http.StatusNotFound}, s.getMessage)
	register(s, api, sendOperation(), []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusConflict,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity}, s.sendMessage)
}

func (s *server) listMessages(ctx context.Context, in *listMessages) (*someMessages, error) {
	after, err := readCursor(in.Cursor, inMessages)
	if err != nil {
		return nil, err
	}
	var items []Message
	next := ""
	err = s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		c, err := visible(ctx, tx, in.ID)
		if err != nil {
			return err
		}
		found, more, err := conversation.Messages(ctx, tx, callOf(ctx).actor.Municipality, c, after.ofMessages(), in.Limit)
		if err != nil {
			return err
		}
		if more {
			next = afterMessage(found[len(found)-1])
		}
		items, err = describe(ctx, tx, found)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &someMessages{newPage(items, next)}, nil
}

func (s *server) getMessage(ctx context.Context, in *messageID) (*oneMessage, error) {
	var out Message
	err := s.DB.View(ctx, func(ctx context.Context, tx *db.Tx) error {
		m, err := visibleMessage(ctx, tx, in.ID)
		if err != nil {
			return err
		}
		out, err = describeOne(ctx, tx, m)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &oneMessage{out}, nil
}

// visibleMessage is the message, if the token may see it. Notes are the staff's.
func visibleMessage(ctx context.Context, tx *db.Tx, id string) (conversation.Message, error) {
	actor := callOf(ctx).actor
	if err := actor.Require(staff.Converse, actor.Municipality); err != nil {
		return conversation.Message{}, err
	}
	key, ok := db.ParseID(id)
	if !ok {
		return conversation.Message{}, conversation.ErrNoMessage
	}
	m, err := conversation.GetMessage(ctx, tx, actor.Municipality, key)
	if err != nil {
		return m, err
	}
	seen, err := maySeeMessage(ctx, tx, m)
	if err == nil && !seen {
		err = conversation.ErrNoMessage
	}
	return m, err
}

func maySeeMessage(ctx context.Context, tx *db.Tx, m conversation.Message) (bool, error) {
	if m.Direction == conversation.Note {
		return false, nil
	}
	if len(callOf(ctx).actor.Offices) == 0 {
		return true, nil
	}
	_, err := visibleByID(ctx, tx, m.ConversationID)
	if errors.Is(err, conversation.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func describeOne(ctx context.Context, tx *db.Tx, m conversation.Message) (Message, error) {
	out, err := describe(ctx, tx, []conversation.Message{m})
	if err != nil {
		return Message{}, err
	}
	return out[0], nil
}

// describe makes messages as the API shows them, with their files and what they quote.
func describe(ctx context.Context, tx *db.Tx, messages []conversation.Message) ([]Message, error) {
	municipality := callOf(ctx).actor.Municipality
	var files []int64
	var quoted []string
	for _, m := range messages {
		if m.MediaID != 0 {
			files = append(files, m.MediaID)
		}
		if id := quotes(m); id != "" {
			quoted = append(quoted, id)
		}
	}
	byFile, err := media.ByIDs(ctx, tx, municipality, files)
	if err != nil {
		return nil, err
	}
	byExternal, err := conversation.ByExternalID(ctx, tx, municipality, quoted)
	if err != nil {
		return nil, err
	}
	history, err := revisionsOf(ctx, tx, messages)
	if err != nil {
		return nil, err
	}
	out := make([]Message, len(messages))
	for i, m := range messages {
		out[i] = newMessage(m, callOf(ctx).language)
		if m.EditedAt != nil {
			out[i].Earlier = earlier(history[m.ExternalID])
		}
		if f, ok := byFile[m.MediaID]; ok {
			out[i].Media = []Media{newMedia(f)}
		}
		if q, ok := byExternal[quotes(m)]; ok {
			out[i].ReplyTo = new(db.FormatID(q.ID))
		}
	}
	return out, nil
}

// quotes is WhatsApp's id of the message that m quotes or reacts to.
func quotes(m conversation.Message) string {
	if m.Detail.Reaction != nil {
		return m.Detail.Reaction.ExternalID
	}
	return m.ReplyTo
}

func newMessage(m conversation.Message, l locale.Language) Message {
	out := Message{ID: db.FormatID(m.ID), Direction: string(m.Direction), Type: m.Type, Text: m.Text, Media: []Media{},
		Status: m.Status.String(), ExternalID: known(m.ExternalID), At: m.At, Content: newContent(m.Detail),
		EditedAt: m.EditedAt, RevokedAt: m.RevokedAt, Earlier: []Version{}}
	if m.ConversationID != 0 {
		out.ConversationID = new(db.FormatID(m.ConversationID))
	}
	if m.BroadcastID != 0 {
		out.BroadcastID = new(db.FormatID(m.BroadcastID))
	}
	if m.Pricing != "" {
		out.Pricing = some(Pricing{Category: m.Pricing.Category(), Type: m.Pricing.Type()})
	}
	if m.Author.Kind != "" {
		out.Author = newActor(m.Author.Kind, m.Author.ID, m.Author.Name)
	}
	if p := m.Detail.Location; p != nil {
		out.Location = some(Location{Latitude: p.Latitude, Longitude: p.Longitude, Name: known(p.Name), Address: known(p.Address)})
	}
	if m.Status == conversation.Failed || m.ErrorCode != 0 {
		out.Error = some(newFailure(m, l))
	}
	return out
}

func newFailure(m conversation.Message, l locale.Language) Failure {
	switch {
	case m.ErrorCode == 0: // it failed on our side, of which nothing is told outside
		return Failure{Detail: l.T("desk.message.failed")}
	case m.ErrorDetail == "":
		return Failure{Code: m.ErrorCode, Detail: l.T(conversation.FailureKey(m.ErrorCode), "code", m.ErrorCode)}
	}
	return Failure{Code: m.ErrorCode, Detail: m.ErrorDetail}
}
