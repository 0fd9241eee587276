// SPDX-License-Identifier: AGPL-3.0-or-later

package app

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/contact"
	"github.com/filodiretto/filodiretto/internal/db"
)

var errConsents = errors.New("the consent register is not as it was written: what is listed was changed from outside of the program, or its proof was")

// ConsentsVerify holds a municipality's consent register against its audit trail, prints what it found and fails
// unless everything is as it was written.
func ConsentsVerify(ctx context.Context, s Settings, slug string, out io.Writer, log *slog.Logger) error {
	return withGround(ctx, s, log, func(g *ground) error {
		m, err := g.municipality(ctx, slug)
		if err != nil {
			return err
		}
		var v broadcast.Verified
		err = g.d.View(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			v, err = broadcast.VerifyConsents(ctx, tx, m.ID)
			return err
		})
		if err != nil {
			return err
		}
		sayIDs(out, "Changed since they were written", v.Altered)
		sayIDs(out, "Not in the audit trail", v.Unrecorded)
		sayIDs(out, "In the audit trail, but gone from the register", v.Missing)
		if len(v.Notices) > 0 {
			say(out, "Privacy notices that are not as they were shown, or gone, by hash: %s", strings.Join(v.Notices, " "))
		}
		if v.Broken != nil {
			say(out, "The audit trail itself is broken at its row %d.", *v.Broken)
		}
		if !v.Sound() {
			return errConsents
		}
		say(out, "%d consents of %s are as they were written, and so are %d rows of the audit trail.", v.Count, m.Name, v.Audited)
		return nil
	})
}

func sayIDs(out io.Writer, what string, ids []int64) {
	if len(ids) == 0 {
		return
	}
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = db.FormatID(id)
	}
	say(out, "%s: %s", what, strings.Join(all, " "))
}

// ConsentsExport writes a municipality's consent register as CSV (RFC 4180), oldest first, every field as it is kept: but
// an apostrophe stands before what a spreadsheet would run as a formula. The hashes are of the fields without it.
func ConsentsExport(ctx context.Context, s Settings, slug string, out io.Writer, log *slog.Logger) error {
	return withGround(ctx, s, log, func(g *ground) error {
		m, err := g.municipality(ctx, slug)
		if err != nil {
			return err
		}
		w := csv.NewWriter(out)
		if err := w.Write([]string{"id", "contact", "topic", "event", "at", "recorded_at", "channel", "number", "message", "external_id", "words", "wording",
			"policy_version", "policy_hash", "language", "actor_kind", "actor_id", "actor_name", "reference", "hash"}); err != nil {
			return fmt.Errorf("write the register: %w", err)
		}
		err = g.d.View(ctx, func(ctx context.Context, tx *db.Tx) error {
			return contact.EachConsent(ctx, tx, m.ID, func(c contact.Consent) error {
				return w.Write(plain(db.FormatID(c.ID), db.FormatID(c.ContactID), c.Topic, string(c.Event), c.At.Format(time.RFC3339Nano), c.RecordedAt.Format(time.RFC3339Nano),
					c.Channel, c.Number, db.FormatID(c.MessageID), c.ExternalID, c.Words, c.Wording, c.PolicyVersion, c.PolicyHash, string(c.Language),
					c.Actor.Kind, db.FormatID(c.Actor.ID), c.Actor.Name, c.Reference, c.Hash))
			})
		})
		w.Flush()
		return errors.Join(err, w.Error())
	})
}

// plain keeps a spreadsheet from running what somebody wrote as a formula. The ids may be negative numbers, which are none.
// https://owasp.org/www-community/attacks/CSV_Injection
func plain(cells ...string) []string {
	for i, c := range cells {
		if _, err := strconv.ParseFloat(c, 64); err != nil && strings.ContainsAny(c[:min(1, len(c))], "=+-@\t\r\n") {
			cells[i] = "'" + c
		}
	}
	return cells
}

// importAtOnce is how many rows of a list are taken over in one transaction, so that the desk gets its turn.
const importAtOnce = 200

// ListsImport takes over a list from a CSV file, all of it or, if a row is bad, nothing, and prints what it did. After
// an interruption it may be repeated: who is on the list is left alone.
func ListsImport(ctx context.Context, s Settings, slug, list, file string, out io.Writer, log *slog.Logger) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("open the list: %w", err)
	}
	rows, err := broadcast.ReadImport(f, time.Now())
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return withGround(ctx, s, log, func(g *ground) error {
		m, err := g.municipality(ctx, slug)
		if err != nil {
			return err
		}
		var sum broadcast.ImportReport
		for some := range slices.Chunk(rows, importAtOnce) {
			var report broadcast.ImportReport
			err := g.d.UpdateLater(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
				report, err = broadcast.Import(ctx, tx, commandLine, m, list, some)
				return err
			})
			if err != nil {
				return fmt.Errorf("import into %s: %w", list, err)
			}
			sum.Subscribed += report.Subscribed
			sum.Already += report.Already
			sum.Left = append(sum.Left, report.Left...)
		}
		say(out, "%d subscribed to %s, %d were on it already.", sum.Subscribed, list, sum.Already)
		if len(sum.Left) > 0 {
			say(out, "%d had left on their own, or changed number since, and were not subscribed again: the phones of lines %s.", len(sum.Left), lines(sum.Left))
		}
		return nil
	})
}

func lines(rows []broadcast.ImportRow) string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = fmt.Sprint(r.Line)
	}
	return strings.Join(out, ", ")
}
