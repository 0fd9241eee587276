// SPDX-License-Identifier: AGPL-3.0-or-later

package page

import (
	"time"

	"github.com/filodiretto/filodiretto/internal/locale"
)

// Desk is the frame around every page of a signed-in person.
type Desk struct {
	Municipality string // "Comune di Rimini"
	Service      string // what the citizens call it: "WhatsUrp"
	Others       []Place
	Person       Person
	Search       string // what is being looked for
	Open         bool   // the desk's hours, now
	Hours        string // the same in words: "aperto fino alle 13:00"
	Section      Section
	Title        string // of the page, first in the browser's tab
	Unread       int    // shown in the tab
	Banners      []Banner
}

// Place is another municipality the person may work for.
type Place struct{ Slug, Name string }

// Section is a place in the rail.
type Section string

// The sections.
const (
	SectionInbox      Section = "inbox"
	SectionBroadcasts Section = "broadcasts"
	SectionLists      Section = "lists"
	SectionFigures    Section = "figures"
	SectionSettings   Section = "settings"
)

// Person is who is looking.
type Person struct {
	Name          string
	Email         string
	Role          string // a role's key: operator, supervisor, administrator, auditor
	Administers   bool   // may open staff, numbers and quarantine
	Blocks        bool   // may block citizens
	Audits        bool   // may open the audit trail
	Converses     bool   // may open the inbox
	Broadcasts    bool   // may manage lists and broadcasts
	Figures       bool   // may open the figures
	Theme         string // auto, light, dark
	EnterSends    bool   // Enter sends; otherwise Ctrl+Enter does
	SingleKeys    bool   // single-letter shortcuts are on
	LanguageFixed string // the person's choice, "" for the browser's
}

// View is a way of looking at the inbox.
type View string

// The views.
const (
	ViewOpen     View = "open"
	ViewMine     View = "mine"
	ViewWaiting  View = "waiting" // the citizen waits for us
	ViewResolved View = "resolved"
)

// Inbox is the list of conversations.
type Inbox struct {
	View     View
	Open     int
	Mine     int
	Waiting  int
	Office   string // "" for all
	Offices  []Choice
	Rows     []Row
	Next     string // cursor of the rows that follow, "" at the end
	Selected string
}

// Row is one conversation in the list.
type Row struct {
	ID       string
	Name     string // the citizen's, or the address when it is unknown
	Preview  Preview
	At       time.Time
	Unread   int
	Kind     string // label of the kind of request
	Holder   string // who holds it, "" for nobody
	Mine     bool
	Office   string
	Resolved bool
	Failed   bool      // our last message did not arrive
	Draft    bool      // the person has an unsent draft here
	Closes   time.Time // end of the 24-hour window; zero when it is closed
}

// Preview is the last message in a few words.
type Preview struct {
	Type Type
	Text string
	Ours bool
	Note bool
}

// Choice is something to pick from a list.
type Choice struct {
	ID    string
	Label string
	Hint  string
	Key   string // the shortcut inside the picker
}

// Thread is an open conversation.
type Thread struct {
	ID       string
	Name     string
	Address  string // "+39 347 123 4567" or "@maria", as people write it
	Number   string // our number, shown when the municipality has several
	View     View
	Resolved bool
	Reason   string // why it was resolved without a reply
	Holder   string
	Mine     bool
	Office   string
	Kind     string
	KindID   string
	Closes   time.Time // end of the 24-hour window; zero when it is closed
	Messages []Message
	Earlier  bool // there are messages before these
	Composer Composer
	Rights   Rights
	Citizen  string // id of their file, where a block is shown
}

// Rights are what the person may do with a conversation now.
type Rights struct {
	Take     bool
	Release  bool
	HandOver bool
	Resolve  bool
	Reopen   bool
}

// Composer is where a reply is written.
type Composer struct {
	Draft        string // the draft's id; sending twice with the same id sends once
	Text         string // what was written and not sent
	Quote        *Quote // what it answers to
	Note         bool   // the draft is an internal note
	Block        Block
	Since        string // of BlockCitizen, in words
	NoAutomation bool
	Keywords     bool   // all the same, a citizen's own keyword is answered: there are lists
	Signature    string // added below each reply, "" for none
	Limit        int    // characters
	Resolvable   bool   // "Invia e risolvi" is offered
	Saved        time.Time
}

// Block is why a reply cannot be sent now.
type Block string

// The blocks.
const (
	Free         Block = ""
	BlockWindow  Block = "window"   // more than 24 hours since the citizen last wrote
	BlockHeld    Block = "held"     // a colleague holds it
	BlockSolved  Block = "resolved" // to be reopened first
	BlockRole    Block = "role"     // the role only reads
	BlockNoPhone Block = "address"  // nothing to write to
	BlockCitizen Block = "citizen"  // they are on the number's block list
)

// Type is the kind of content of a message.
type Type string

// The types.
const (
	Text        Type = "text"
	Image       Type = "image"
	Video       Type = "video"
	Audio       Type = "audio"
	Voice       Type = "voice"
	Document    Type = "document"
	Sticker     Type = "sticker"
	Location    Type = "location"
	Contacts    Type = "contacts"
	ButtonReply Type = "button"
	ListReply   Type = "list"
	Form        Type = "form"
	Order       Type = "order"
	Template    Type = "template"
	Unsupported Type = "unsupported"
)

// Side is where a message stands.
type Side string

// The sides.
const (
	In    Side = "in"
	Out   Side = "out"
	Note  Side = "note"
	Event Side = "event"
)

// Message is one thing in a thread.
type Message struct {
	ID        string
	External  string // the medium's id, by which others refer to it
	Side      Side
	Type      Type
	Author    string // who wrote it, for Out and Note
	Automatic bool
	Notice    bool // a broadcast's copy
	At        time.Time
	Doubtful  bool   // the sender's clock was wrong: At is when we received it
	Text      string // also the caption of a file, the words of an event
	Title     string // a template's name, the title of a chosen list row
	Taps      *Taps  // what stands around it for the citizen to tap
	Media     *Media
	Location  *Spot
	Cards     []Card
	Quote     *Quote
	Reactions []Reaction
	Status    Status
	Reason    string // why it failed and what to do
	Forwarded bool
	Resend    bool     // offered to be sent again
	Labels    []string // further words above the content
	Advert    *Advert
	Edited    time.Time // when the citizen last changed it
	Revoked   time.Time // when the citizen took it back
	Earlier   []Version // what it said before, oldest first
	Problem   string    // what is wrong with what came in, and what to do
	Ask       string    // a text that asks for a lost file again, in the citizens' language
	Raw       string    // what can't be shown whole, as it came
}

// Version is what a message said at first, or after an edit.
type Version struct {
	At   time.Time
	Text string
}

// Advert is the advertisement or post by which a citizen came to the chat.
type Advert struct{ Title, Body, Address string }

// Media is a file of a message.
type Media struct {
	ID        string
	State     MediaState
	Name      string
	Format    string // "PDF"
	Bytes     int64
	Width     int // pixels, 0 when unknown
	Height    int
	Length    time.Duration
	Thumbnail bool
	MIME      string
	Reason    locale.Key // why it is not there
	Sound     bool       // also to be had as every browser plays it

	Description string // what somebody of the office wrote of it
	DescribedBy string
	DescribedAt time.Time
}

// MediaState is how far a file is.
type MediaState string

// The states of a file.
const (
	MediaReady   MediaState = "ready"
	MediaWaiting MediaState = "waiting"
	MediaFailed  MediaState = "failed"  // gone at Meta, or not to be fetched
	MediaRefused MediaState = "refused" // not what it claims, or too large
)

// Spot is a place on the map.
type Spot struct {
	Latitude, Longitude float64
	Name, Address, URL  string
}

// Card is a contact card.
type Card struct {
	Name         string
	Organisation string
	Lines        []string // phones, addresses
}

// Quote is the message answered to.
type Quote struct {
	ID     string // "" when it is not ours to show
	Author string
	Text   string
	Type   Type
}

// Reaction is an emoji under a message.
type Reaction struct {
	Emoji string
	Who   string
}

// Status is how far a message of ours has come.
type Status string

// The states of an outgoing message, in words of locale under desk.status.
const (
	Queued    Status = "queued"
	Sending   Status = "sending"
	Uncertain Status = "uncertain"
	Accepted  Status = "accepted"
	Held      Status = "held"
	Sent      Status = "sent"
	Failed    Status = "failed"
	Delivered Status = "delivered"
	Read      Status = "read"
	Played    Status = "played"
	Cancelled Status = "cancelled"
	Skipped   Status = "skipped"
)

// Citizen is the pane about the person written with.
type Citizen struct {
	ID            string
	Name          string
	Profile       string // the name on WhatsApp, when it differs
	Addresses     []string
	Registered    string // "" when the municipality asks no registration; otherwise yes or no
	Since         time.Time
	Lists         []string
	Conversations []Past
	Notes         string
	Files         []Message
}

// Past is an earlier conversation.
type Past struct {
	ID       string
	At       time.Time
	Kind     string
	Preview  string
	Resolved bool
	Current  bool
}

// Found is a search's answer.
type Found struct {
	Query    string
	Messages []Hit
	Citizens []Hit
	Next     string
}

// Hit is one thing found. Before, Match and After are the words around it.
type Hit struct {
	Conversation string
	Message      string
	Name         string
	Address      string
	At           time.Time
	Ours         bool
	Parts        []Part
}

// Part is a piece of found text.
type Part struct {
	Text  string
	Match bool
}

// TemplateChoice is an approved template to send.
type TemplateChoice struct {
	Name      string
	Language  string
	Category  string
	Low       bool // of low quality, as Meta measures it
	Body      string
	Whole     string // header, body and footer, with the places to fill
	Header    HeaderFormat
	Buttons   []string
	Replies   []string // those of the buttons that answer
	Variables []Variable
}

// Variable is a place to fill in a template.
type Variable struct {
	Key  string // what the form calls it
	Name string // what stands between the braces: its position or name
}

// PlaceForm asks for a place to send.
type PlaceForm struct {
	Conversation string
	Draft        string // the message's key: sent twice, it goes once
}
