// SPDX-License-Identifier: AGPL-3.0-or-later

package conversation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/locale"
)

// The copies of a broadcast are messages, one for each recipient; they are the ledger of the broadcast. They
// open no conversation and reorder none. A copy is parked, in no lane, until its broadcast releases it: so
// a broadcast stops at once, and the outbox stays short however many wait.

// parked is the lane of what waits for its broadcast.
const parked Lane = -1

// CopyText is what the copies of a broadcast say.
type CopyText struct {
	Broadcast int64
	Template  Template
	Text      string // of the template, filled in
	Free      string // of those that go as text
}

// NamePlace stands in a broadcast's text where each citizen reads their own name.
const NamePlace = "{name}"

// SetCopyText keeps what the copies of a broadcast say, before there are any.
func SetCopyText(ctx context.Context, tx *db.Tx, municipality int64, c CopyText) error {
	detail, err := db.ToJSON(Detail{Template: &c.Template})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO broadcast_content (municipality_id, broadcast_id, text, detail, free) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (municipality_id, broadcast_id) DO UPDATE SET text = excluded.text, detail = excluded.detail, free = excluded.free`,
		municipality, c.Broadcast, c.Text, detail, c.Free)
	if err != nil {
		return fmt.Errorf("keep the text of broadcast %d: %w", c.Broadcast, err)
	}
	return nil
}

// Recipients is a query of contact_id and number, in the order of contacts, of its first Limit rows at most.
// Its arguments are numbered from CopyArgs+1.
type Recipients struct {
	Query string
	Args  []any
	Limit int
}

// CopyArgs are the arguments that Copies puts before those of the query of recipients.
const CopyArgs = 12

// Copies parks a copy for each of the recipients, each contact once for good, with the file above it if there is one, and returns the last contact
// that got one and how many did.
func Copies(ctx context.Context, tx *db.Tx, municipality, broadcast, follows, media int64, a Author, r Recipients) (last int64, n int, err error) {
	quotes := `''`
	if follows != 0 {
		quotes = `coalesce((SELECT f.external_id FROM message f WHERE f.municipality_id = $1 AND f.client_key = $11 || r.contact_id AND f.client_key <> '' AND f.number = r.number), '')`
	}
	// The ids are made by the database, from a block of ours, for its own rows.
	statement := `INSERT INTO message (municipality_id, message_id, contact_id, number, direction, type, status, lane, broadcast_id, client_key, reply_to, media_id,
		author_kind, author_id, author_name, at, created_at, next_at)
		SELECT $1, CAST($2 AS bigint) + ((r.n - 1) / ` + perMillisecond + `) * ` + millisecond + ` + (r.n - 1) % ` + perMillisecond + `, r.contact_id, r.number,
			'out', 'template', 10, CAST($3 AS smallint), CAST($4 AS bigint), $5 || r.contact_id, ` + quotes + `, CAST($12 AS bigint), $6, CAST($7 AS bigint), $8, $9, $10, $10
		FROM (SELECT q.contact_id, q.number, row_number() OVER (ORDER BY q.contact_id) AS n FROM (` + r.Query + `) q) r
		WHERE CAST($11 AS text) IS NOT NULL
		ON CONFLICT DO NOTHING RETURNING contact_id`
	args := append([]any{municipality, tx.NewIDs(r.Limit), int16(parked), broadcast, copyKey(broadcast), a.Kind, a.ID, a.Name, tx.Now(), tx.Now(), copyKey(follows), media}, r.Args...)
	err = tx.Query(ctx, statement, [][]any{args}, func(_ int, row db.Scanner) error {
		var contact int64
		err := row.Scan(&contact)
		last, n = max(last, contact), n+1
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("prepare the copies of broadcast %d: %w", broadcast, err)
	}
	return last, n, nil
}

var (
	perMillisecond = fmt.Sprint(db.IDsPerMillisecond)
	millisecond    = fmt.Sprint(db.FirstID(time.UnixMilli(1)))
)

func copyKey(broadcast int64) string { return fmt.Sprintf("copy:%d:", broadcast) }

// CopyRelease lets up to Limit parked copies go, in the order of contacts.
type CopyRelease struct {
	Broadcast int64
	Number    string
	Lane      Lane
	Limit     int
	Free      bool   // where the citizen's window is open, the copy goes as text
	Stay      string // a condition on message.contact_id for those who still want it, its arguments numbered from 6
	StayArgs  []any
}

// windowOpen tells whether the citizen of a copy wrote within the window.
const windowOpen = `(SELECT 1 FROM message i WHERE i.municipality_id = message.municipality_id AND i.contact_id = message.contact_id
	AND i.number = message.number AND i.at > $5 AND i.direction = 'in' AND i.type <> 'system' LIMIT 1) IS NOT NULL`

// freeMargin keeps a free copy that waits for its turn from coming too late.
const freeMargin = 30 * time.Minute

// firstParked finds where the first parked copies end; upToLast are they. Nothing asks for them by a list of
// ids: PostgreSQL would walk through all messages for it.
const (
	firstParked = `SELECT max(p.message_id), count(*) FROM (SELECT message_id FROM message
		WHERE municipality_id = $1 AND broadcast_id = $2 AND number = $3 AND stage = 10 AND lane < 0 ORDER BY message_id LIMIT $4) AS p`
	upToLast = ` WHERE municipality_id = $1 AND broadcast_id = $2 AND number = $3 AND stage = 10 AND lane < 0 AND message_id <= $4 AND CAST($5 AS timestamptz) IS NOT NULL`
)

// mergedInto is the contact that a copy's has turned out to be; 0 is none.
const mergedInto = `(SELECT c.merged_into FROM contact c WHERE c.municipality_id = message.municipality_id AND c.contact_id = message.contact_id)`

// lookAtFirst is firstParked with how many of them have a merged contact, or one who has left: mostly nobody, and
// a statement that changes them would ask all that is parked.
func (r CopyRelease) lookAtFirst() string {
	return `SELECT max(message.message_id), count(*), coalesce(sum(CASE WHEN ` + mergedInto + ` <> 0 THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN ` + r.Stay + ` THEN 0 ELSE 1 END), 0)
		FROM (SELECT municipality_id, message_id, contact_id, number FROM message
		WHERE municipality_id = $1 AND broadcast_id = $2 AND number = $3 AND stage = 10 AND lane < 0 ORDER BY message_id LIMIT $4) AS message WHERE CAST($5 AS timestamptz) IS NOT NULL`
}

// ReleaseCopies does so, and skips those of citizens who have left. It returns how many it took from what is
// parked: none when nothing is left.
func ReleaseCopies(ctx context.Context, tx *db.Tx, municipality int64, r CopyRelease) (released, skipped int, err error) {
	since := tx.Now().Add(freeMargin - Window)
	var end *int64
	var found, merged, gone int
	args := append([]any{municipality, r.Broadcast, r.Number, r.Limit, since}, r.StayArgs...)
	if err := tx.QueryRowContext(ctx, r.lookAtFirst(), args...).Scan(&end, &found, &merged, &gone); err != nil {
		return 0, 0, fmt.Errorf("look for parked copies of broadcast %d: %w", r.Broadcast, err)
	}
	if found == 0 {
		return 0, 0, nil
	}
	if merged > 0 {
		if skipped, err = followMerges(ctx, tx, municipality, r, *end); err != nil {
			return 0, 0, err
		}
	}
	if merged+gone > 0 {
		args := append([]any{municipality, r.Broadcast, r.Number, *end, since}, r.StayArgs...)
		left, err := tx.Exec(ctx, `UPDATE message SET status = 101, error_detail = CASE WHEN `+NotBlocked("message")+` THEN '`+SkippedLeft+`' ELSE '`+SkippedBlocked+`' END`+upToLast+` AND NOT (`+r.Stay+`)`, [][]any{args})
		if err != nil {
			return 0, 0, fmt.Errorf("skip who left or is blocked of broadcast %d: %w", r.Broadcast, err)
		}
		skipped += int(left[0])
	}
	kind := `type`
	if r.Free {
		kind = `CASE WHEN ` + windowOpen + ` THEN 'text' ELSE 'template' END`
	}
	went, err := tx.Exec(ctx, fmt.Sprintf(`UPDATE message SET lane = %d, next_at = $6, type = %s%s`, r.Lane, kind, upToLast),
		[][]any{{municipality, r.Broadcast, r.Number, *end, since, tx.Now()}})
	if err != nil {
		return 0, 0, fmt.Errorf("release copies of broadcast %d: %w", r.Broadcast, err)
	}
	if went[0] > 0 {
		tx.Notify(db.Notice{Topic: db.Outbox, Municipality: municipality, Key: r.Number})
	}
	return int(went[0]), skipped, nil
}

// followMerges gives parked copies to the contact that theirs has turned out to be: on PostgreSQL a copy may have
// been prepared in the very moment of the merge. Who has another is skipped; it returns how many.
func followMerges(ctx context.Context, tx *db.Tx, municipality int64, r CopyRelease, end int64) (twice int, err error) {
	var moved []Message
	err = tx.Query(ctx, `UPDATE message SET contact_id = `+mergedInto+upToLast+` AND `+mergedInto+` <> 0 RETURNING message_id, contact_id`,
		[][]any{{municipality, r.Broadcast, r.Number, end, tx.Now()}}, func(_ int, row db.Scanner) error {
			m := Message{BroadcastID: r.Broadcast}
			err := row.Scan(&m.ID, &m.ContactID)
			moved = append(moved, m)
			return err
		})
	if err != nil {
		return 0, fmt.Errorf("follow the merged recipients of broadcast %d: %w", r.Broadcast, err)
	}
	for _, m := range moved {
		other, err := HasOtherCopy(ctx, tx, municipality, m)
		if err != nil {
			return 0, err
		}
		if !other {
			continue
		}
		if err := SkipCopies(ctx, tx, municipality, []int64{m.ID}, SkippedTwice); err != nil {
			return 0, err
		}
		twice++
	}
	return twice, nil
}

// Why a copy was skipped, as its error detail tells.
const (
	SkippedLeft  = "left"  // the citizen has left the lists
	SkippedTwice = "twice" // the citizen has two contacts that turned out to be one

	SkippedBlocked = "blocked" // the office has blocked the citizen on the copy's number: Meta refuses it, an emergency too
)

// LaneDepth counts what is released and waits on a number's lane, up to a limit.
func LaneDepth(ctx context.Context, tx *db.Tx, municipality int64, number string, lane Lane, most int) (n int, err error) {
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM message WHERE municipality_id = $1 AND number = $2 AND stage = 10 AND lane >= 0 AND lane = $3 LIMIT $4) AS d`,
		municipality, number, int16(lane), most).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count what waits on %s: %w", number, err)
	}
	return n, nil
}

// ParkCopies takes back what was released of a broadcast and not yet claimed.
func ParkCopies(ctx context.Context, tx *db.Tx, municipality, broadcast int64, numbers []string) error {
	var rows [][]any
	for _, n := range numbers {
		for _, lane := range []Lane{Emergency, Broadcast} {
			rows = append(rows, []any{municipality, n, int16(lane), broadcast, Again(broadcast)})
		}
	}
	if _, err := tx.Exec(ctx, `UPDATE message SET lane = -1 WHERE municipality_id = $1 AND number = $2 AND lane = $3 AND lane >= 0 AND stage = 10 AND broadcast_id IN ($4, $5)`, rows); err != nil {
		return fmt.Errorf("park the copies of broadcast %d: %w", broadcast, err)
	}
	return nil
}

// CancelCopies cancels up to limit parked copies of a broadcast on a number and returns how many.
func CancelCopies(ctx context.Context, tx *db.Tx, municipality, broadcast int64, number string, limit int) (int, error) {
	return changeParked(ctx, tx, municipality, broadcast, number, limit, `status = 100`)
}

// MoveCopies gives up to limit parked copies of a broadcast on a number that is no longer in use to another, and
// returns how many. They quote nothing any more: what a citizen got from one number can't be quoted from another.
func MoveCopies(ctx context.Context, tx *db.Tx, municipality, broadcast int64, from, to string, limit int) (int, error) {
	return changeParked(ctx, tx, municipality, broadcast, from, limit, `number = $6, reply_to = ''`, to)
}

// changeParked sets columns of the first limit parked copies of a broadcast on a number and returns how many. The
// arguments of what is set are numbered from 6.
func changeParked(ctx context.Context, tx *db.Tx, municipality, broadcast int64, number string, limit int, set string, args ...any) (int, error) {
	var end *int64
	var found int
	if err := tx.QueryRowContext(ctx, firstParked, municipality, broadcast, number, limit).Scan(&end, &found); err != nil {
		return 0, fmt.Errorf("look for parked copies of broadcast %d: %w", broadcast, err)
	}
	if found == 0 {
		return 0, nil
	}
	n, err := tx.Exec(ctx, `UPDATE message SET `+set+upToLast, [][]any{append([]any{municipality, broadcast, number, *end, tx.Now()}, args...)})
	if err != nil {
		return 0, fmt.Errorf("change parked copies of broadcast %d: %w", broadcast, err)
	}
	return int(n[0]), nil
}

// Learn lets PostgreSQL learn of many new copies: its plans would be those for the few messages that waited
// before, and walk through all copies for each of them. So would those for the conversations of who answers them.
func Learn(ctx context.Context, tx *db.Tx) error {
	if tx.Engine == db.SQLite {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `ANALYZE message, conversation`); err != nil {
		return fmt.Errorf("let the database learn of the copies: %w", err)
	}
	return nil
}

// WaitingCopies lists the copies of broadcasts that wait for contacts, parked or not: what somebody who
// leaves must not get any more.
func WaitingCopies(ctx context.Context, tx *db.Tx, municipality int64, contacts []int64) ([]Message, error) {
	rows := make([][]any, len(contacts))
	for i, id := range contacts {
		rows[i] = []any{municipality, id}
	}
	out, err := messagesOf(ctx, tx, `SELECT `+messageColumns+` FROM message m WHERE m.municipality_id = $1 AND m.contact_id = $2
		AND m.stage IN (10, 20) AND m.stage = 10 -- both, so that the index of a citizen's turn is taken
		AND m.broadcast_id <> 0`, rows)
	if err != nil {
		return nil, fmt.Errorf("look for waiting copies: %w", err)
	}
	return out, nil
}

// SkipCopies skips copies that still wait, for a reason.
func SkipCopies(ctx context.Context, tx *db.Tx, municipality int64, ids []int64, why string) error {
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{municipality, id, why}
	}
	if _, err := tx.Exec(ctx, `UPDATE message SET status = 101, error_detail = $3 WHERE municipality_id = $1 AND message_id = $2 AND status = 10`, rows); err != nil {
		return fmt.Errorf("skip copies: %w", err)
	}
	return nil
}

// CountCopies counts the copies of a broadcast by state, also those that were deleted since.
func CountCopies(ctx context.Context, tx *db.Tx, municipality, broadcast int64) (map[Status]int, error) {
	out := make(map[Status]int)
	err := tx.Query(ctx, `SELECT status, count(*) FROM message WHERE municipality_id = $1 AND broadcast_id = $2 AND broadcast_id <> 0 GROUP BY status
		UNION ALL SELECT status, count FROM copies_deleted WHERE municipality_id = $1 AND broadcast_id = $2`,
		[][]any{{municipality, broadcast}}, func(_ int, row db.Scanner) error {
			var s Status
			var n int
			err := row.Scan(&s, &n)
			out[s] += n
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("count the copies of broadcast %d: %w", broadcast, err)
	}
	return out, nil
}

// CopiesDeleted reports whether copies of a broadcast are no more: only their outcome is known.
func CopiesDeleted(ctx context.Context, tx *db.Tx, municipality, broadcast int64) (some bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM copies_deleted WHERE municipality_id = $1 AND broadcast_id = $2)`, municipality, broadcast).Scan(&some)
	if err != nil {
		return false, fmt.Errorf("look for deleted copies of broadcast %d: %w", broadcast, err)
	}
	return some, nil
}

// CopiesOf lists copies of a broadcast in some states, after an id, in the order of ids. It tells what became of them,
// not what they say: that is the same of all. Of those skipped it lists who was for the reason why; "" is any.
func CopiesOf(ctx context.Context, tx *db.Tx, municipality, broadcast int64, states []Status, why string, after int64, limit int) ([]Message, error) {
	ids, err := copyIDs(ctx, tx, municipality, broadcast, states, why, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list the copies of broadcast %d: %w", broadcast, err)
	}
	rows := make([][]any, len(ids))
	for i, id := range ids {
		rows[i] = []any{municipality, id}
	}
	out := make([]Message, 0, len(ids))
	err = tx.Query(ctx, `SELECT message_id, contact_id, number, direction, type, external_id, status, at, error_code, error_detail, sending_at, sent_at, delivered_at, read_at
		FROM message WHERE municipality_id = $1 AND message_id = $2`, rows, func(_ int, row db.Scanner) error {
		m := Message{BroadcastID: broadcast}
		err := row.Scan(&m.ID, &m.ContactID, &m.Number, &m.Direction, &m.Type, &m.ExternalID, &m.Status, &m.At, &m.ErrorCode, &m.ErrorDetail,
			&m.SendingAt, &m.SentAt, &m.DeliveredAt, &m.ReadAt)
		m.At = m.At.UTC()
		out = append(out, m)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the copies of broadcast %d: %w", broadcast, err)
	}
	return out, nil
}

// copyIDs are the first ids after one, of all states together. Each stage is walked in the index that has the copies of
// it in order, so that a page costs little more than what it shows.
func copyIDs(ctx context.Context, tx *db.Tx, municipality, broadcast int64, states []Status, why string, after int64, limit int) (ids []int64, err error) {
	var rows [][]any
	for stage, within := range byStage(states) {
		in := [3]int16{int16(within[0]), int16(within[0]), int16(within[0])} // no stage has more states
		for i, s := range within {
			in[i] = int16(s)
		}
		rows = append(rows, []any{municipality, broadcast, int16(stage), in[0], in[1], in[2], after, limit, why})
	}
	err = tx.Query(ctx, `SELECT message_id FROM message WHERE municipality_id = $1 AND broadcast_id = $2 AND broadcast_id <> 0 AND stage = $3
		AND status IN ($4, $5, $6) AND message_id > $7 AND (CAST($9 AS text) = '' OR stage <> 101 OR error_detail = $9) ORDER BY message_id LIMIT $8`, rows, func(_ int, row db.Scanner) error {
		var id int64
		err := row.Scan(&id)
		ids = append(ids, id)
		return err
	})
	slices.Sort(ids)
	return ids[:min(len(ids), limit)], err
}

// CopiesOpen reports whether something of a broadcast is queued or in flight.
func CopiesOpen(ctx context.Context, tx *db.Tx, municipality, broadcast int64) (open bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM message WHERE municipality_id = $1 AND broadcast_id IN ($2, $3) AND broadcast_id <> 0 AND stage IN (10, 20))`,
		municipality, broadcast, Again(broadcast)).Scan(&open)
	if err != nil {
		return false, fmt.Errorf("look for open copies of broadcast %d: %w", broadcast, err)
	}
	return open, nil
}

// fillCopies gives copies what their broadcast says, with the citizen's name in its places.
func fillCopies(ctx context.Context, tx *db.Tx, municipality int64, found []Message) error {
	contents, err := contentsOf(ctx, tx, municipality, found)
	if err != nil || len(contents) == 0 {
		return err
	}
	names, err := namesFor(ctx, tx, municipality, found, contents)
	if err != nil {
		return err
	}
	for i := range found {
		if c, ok := contents[found[i].BroadcastID]; ok {
			c.fill(&found[i], names[found[i].ContactID])
		}
	}
	return nil
}

func contentsOf(ctx context.Context, tx *db.Tx, municipality int64, found []Message) (map[int64]CopyText, error) {
	contents := make(map[int64]CopyText)
	var rows [][]any
	for _, m := range found {
		if _, seen := contents[m.BroadcastID]; m.BroadcastID != 0 && !seen {
			contents[m.BroadcastID] = CopyText{}
			rows = append(rows, []any{municipality, m.BroadcastID})
		}
	}
	err := tx.Query(ctx, `SELECT broadcast_id, text, detail, free FROM broadcast_content WHERE municipality_id = $1 AND broadcast_id = $2`, rows,
		func(_ int, row db.Scanner) error {
			var c CopyText
			var column db.JSON
			if err := row.Scan(&c.Broadcast, &c.Text, &column, &c.Free); err != nil {
				return err
			}
			var detail Detail
			err := column.Into(&detail)
			if detail.Template != nil {
				c.Template = *detail.Template
			}
			contents[c.Broadcast] = c
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("load what broadcasts say: %w", err)
	}
	return contents, nil
}

func namesFor(ctx context.Context, tx *db.Tx, municipality int64, found []Message, contents map[int64]CopyText) (map[int64]string, error) {
	names := make(map[int64]string)
	var rows [][]any
	for _, m := range found {
		if contents[m.BroadcastID].personal() {
			rows = append(rows, []any{municipality, m.ContactID})
		}
	}
	err := tx.Query(ctx, `SELECT contact_id, name FROM contact WHERE municipality_id = $1 AND contact_id = $2`, rows, func(_ int, row db.Scanner) error {
		var id int64
		var name string
		err := row.Scan(&id, &name)
		names[id] = name
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load the names of recipients: %w", err)
	}
	return names, nil
}

func (c CopyText) personal() bool {
	return strings.Contains(c.Text, NamePlace) || strings.Contains(c.Free, NamePlace)
}

func (c CopyText) fill(m *Message, name string) {
	if first, again := strings.CutPrefix(m.ClientKey, resendPrefix); again {
		m.Detail.ResendOf, _ = db.ParseID(first)
	}
	if m.Type == TypeText {
		m.MediaID = 0 // that stands above the template
		m.Text = Personal(c.Free, name, c.Template.Language)
		return
	}
	t := c.Template
	t.Texts = nil
	for _, text := range c.Template.Texts {
		t.Texts = append(t.Texts, Personal(text, name, c.Template.Language))
	}
	m.Text, m.Detail.Template = Personal(c.Text, name, c.Template.Language), &t
}

// maxGreeted bounds a name in a text: profiles hold all sorts of things.
const maxGreeted = 40

// Personal puts a citizen's name in its places; who has none is greeted without, in the language of the template.
func Personal(text, name, language string) string {
	if !strings.Contains(text, NamePlace) {
		return text
	}
	name = strings.Join(strings.Fields(name), " ")
	if runes := []rune(name); len(runes) > maxGreeted {
		name = strings.TrimSpace(string(runes[:maxGreeted]))
	}
	if name == "" {
		name = locale.Match(strings.ReplaceAll(language, "_", "-")).T("citizen.nameless")
	}
	return strings.ReplaceAll(text, NamePlace, name)
}

// changedCopies are the broadcasts whose copies changed; each is told once.
type changedCopies map[int64]bool

func (c changedCopies) note(broadcast int64) {
	if broadcast != 0 {
		c[broadcast] = true
	}
}

func (c changedCopies) tell(tx *db.Tx, municipality int64) {
	for id := range c {
		tx.Notify(db.Notice{Topic: db.Broadcast, Municipality: municipality, ID: id})
	}
}

// CopyTimes are the seconds from start until so many in a hundred of the copies that are known to have arrived had done
// so, for each of percents. There are none before the first arrived. All are found in one walk: a hundred thousand are
// timed while they are sent, and people wait meanwhile.
func CopyTimes(ctx context.Context, tx *db.Tx, municipality, broadcast int64, start time.Time, percents [3]int) ([]float64, error) {
	seconds := make(map[int]float64) // by place
	n := 0
	err := tx.Query(ctx, `SELECT a.place, a.n, a.delivered_at FROM (SELECT delivered_at, row_number() OVER (ORDER BY delivered_at) AS place, count(*) OVER () AS n
		FROM message WHERE municipality_id = $1 AND broadcast_id = $2 AND broadcast_id <> 0 AND stage = 70 AND delivered_at IS NOT NULL) AS a
		WHERE a.place IN ((a.n * $3 + 99) / 100, (a.n * $4 + 99) / 100, (a.n * $5 + 99) / 100)`,
		[][]any{{municipality, broadcast, percents[0], percents[1], percents[2]}}, func(_ int, row db.Scanner) error {
			var place int
			var at db.Time
			err := row.Scan(&place, &n, &at)
			seconds[place] = max(0, at.Sub(start).Seconds())
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("time the broadcast %d: %w", broadcast, err)
	}
	if n == 0 {
		return nil, nil
	}
	times := make([]float64, len(percents))
	for i, p := range percents {
		times[i] = seconds[(n*p+99)/100]
	}
	return times, nil
}

// HasOtherCopy reports whether the citizen of a copy has another of the same broadcast that reaches them, has, or
// yet may.
func HasOtherCopy(ctx context.Context, tx *db.Tx, municipality int64, m Message) (other bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM message WHERE municipality_id = $1 AND contact_id = $2 AND broadcast_id = $3
		AND message_id <> $4 AND (status < 60 OR status IN (70, 80, 90)))`, municipality, m.ContactID, m.BroadcastID, m.ID).Scan(&other)
	if err != nil {
		return false, fmt.Errorf("look for a second copy of message %d: %w", m.ID, err)
	}
	return other, nil
}

// Again is what stands in place of a broadcast's id in the copies that were sent again: they are stopped with it
// and are not counted among its recipients a second time.
func Again(broadcast int64) int64 { return -broadcast }

// silent are the copies of a broadcast of which nothing was heard since a time, and that were not sent again.
const silent = ` FROM message m WHERE m.municipality_id = $1 AND m.broadcast_id = $2 AND m.broadcast_id <> 0 AND m.stage = 30
	AND m.sending_at <= $3 AND NOT EXISTS (SELECT 1 FROM message r WHERE r.municipality_id = m.municipality_id AND r.client_key = 'resend:' || m.message_id AND r.client_key <> '')`

// CountSilent counts the copies of a broadcast of which nothing was heard for StayQuiet, and that were not sent
// again.
func CountSilent(ctx context.Context, tx *db.Tx, municipality, broadcast int64) (n int, err error) {
	err = tx.QueryRowContext(ctx, `SELECT count(*)`+silent, municipality, broadcast, tx.Now().Add(-StayQuiet)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count the silent copies of broadcast %d: %w", broadcast, err)
	}
	return n, nil
}

// ResendArgs are the arguments that ResendCopies puts before those of the condition.
const ResendArgs = 11

// ResendCopies parks a second copy for the first limit citizens whose copy was silent at a time, each once, whoever
// asks, beginning after a copy; the first keeps its state. stay is a condition on m.contact_id, its arguments numbered
// from ResendArgs+1. It returns the last copy that got a second: 0 when nothing is left.
func ResendCopies(ctx context.Context, tx *db.Tx, municipality, broadcast int64, since time.Time, a Author, after int64, limit int, stay string, stayArgs []any) (last int64, err error) {
	args := append([]any{municipality, broadcast, since, tx.NewIDs(limit), Again(broadcast), a.Kind, a.ID, a.Name, tx.Now(), limit, after}, stayArgs...)
	err = tx.Query(ctx, `INSERT INTO message (municipality_id, message_id, contact_id, number, direction, type, status, lane, broadcast_id, client_key, reply_to, media_id,
		author_kind, author_id, author_name, at, created_at, next_at)
		SELECT $1, CAST($4 AS bigint) + ((r.n - 1) / `+perMillisecond+`) * `+millisecond+` + (r.n - 1) % `+perMillisecond+`, r.contact_id, r.number, 'out', r.type, 10, -1,
			CAST($5 AS bigint), '`+resendPrefix+`' || r.message_id, r.reply_to, r.media_id, $6, CAST($7 AS bigint), $8, $9, $9, $9
		FROM (SELECT f.message_id, f.contact_id, f.number, f.type, f.reply_to, f.media_id, row_number() OVER (ORDER BY f.message_id) AS n
			FROM (SELECT m.message_id, m.contact_id, m.number, m.type, m.reply_to, m.media_id`+silent+` AND m.message_id > $11 AND `+stay+` ORDER BY m.message_id LIMIT $10) f) r
		WHERE true ON CONFLICT DO NOTHING RETURNING client_key`, [][]any{args}, func(_ int, row db.Scanner) error {
		var key string
		err := row.Scan(&key)
		first, _ := db.ParseID(strings.TrimPrefix(key, resendPrefix))
		last = max(last, first)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("send the silent copies of broadcast %d again: %w", broadcast, err)
	}
	return last, nil
}

// ResentOf finds what was sent again of some messages, by the id of the first.
func ResentOf(ctx context.Context, tx *db.Tx, municipality int64, first []Message) (map[int64]Message, error) {
	var rows [][]any
	for _, m := range first {
		if m.Status == Uncertain {
			rows = append(rows, []any{municipality, resendKey(m.ID)})
		}
	}
	found, err := messagesOf(ctx, tx, `SELECT `+messageColumns+` FROM message m WHERE m.municipality_id = $1 AND m.client_key = $2 AND m.client_key <> ''`, rows)
	if err != nil {
		return nil, fmt.Errorf("look for what was sent again: %w", err)
	}
	out := make(map[int64]Message, len(found))
	for _, m := range found {
		out[m.Detail.ResendOf] = m
	}
	return out, nil
}
