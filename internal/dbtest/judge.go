// SPDX-License-Identifier: AGPL-3.0-or-later

package dbtest

import (
	"regexp"
	"slices"
	"strings"

	"github.com/filodiretto/filodiretto/internal/db"
)

// growing are the tables that must never be read through: their rows come with what citizens write, with what is
// sent to them, and with time.
var growing = strings.Fields(`contact contact_address conversation message status_early conversation_event draft tally media quarantine
	message_search contact_search media_upload blocked copies_deleted media_deleted subscription subscriber consent broadcast broadcast_content revision news journal audit
	session signin_attempt idempotency`)

// small are the tables that may be read through, and why.
var small = map[string]string{
	"lease":             "a row for each thing of which one instance takes care",
	"municipality":      "some hundreds, read whole when the program starts",
	"number":            "a few for each municipality",
	"template":          "Meta allows an account 250, or 6,000",
	"staff":             "the people who work here",
	"membership":        "the people who work here",
	"membership_office": "the people who work here",
	"invitation":        "of people who are about to work here",
	"token":             "the programs that work here",
	"token_office":      "the programs that work here",
	"sending_state":     "one for each number",
	"subscribers":       "one for each list and district",
	"audit_head":        "one for each municipality",
	"retention_run":     "one for each municipality",
	"policy":            "one for each wording",
	"river_job":         "River keeps it short",
	"journal_waiting":   "what waits to be processed",
}

// walks are the statements that may read through a municipality's rows of a table that grows, by words that stand
// in them, and why.
var walks = map[string]string{
	"FROM subscription s WHERE s.municipality_id":                             "a broadcast goes to all who are on its lists",
	"SELECT EXISTS (SELECT 1 FROM journal)":                                   "the first row is enough",
	"SELECT sha256 FROM media WHERE sha256 <> ''":                             "a backup holds its files against all there are",
	"FROM audit WHERE municipality_id = $1 AND action = $2 ORDER BY audit_id": "who asks whether the proofs of consent are whole has the whole trail read",
	"broadcast_content WHERE municipality_id = $1 AND broadcast_id < $2":      "a row for each broadcast, looked through now and then",
	"AND started_at IS NOT NULL AND completed_at > $2":                        "the last days by broadcast_ended; tests whose clock stands years ago ask for all",
	"-- name: SweepAttempts :exec":                                            "the sweep keeps a day of attempts",
	"-- name: DropQuarantined :execrows":                                      "now and then, and what nobody understood is little",
	"-- name: DropProcessed :execrows":                                        "a slice by its keys, which PostgreSQL joins as suits its size",
	"SET state = 'paused', pause_code = 0, paused_name = '' WHERE state IN":   "restoring looks at everything, once",
	"SET status = 30, sending_at = CASE":                                      "restoring looks at the whole outbox, once",
}

// judge tells what is wrong with a plan, if anything is.
func judge(engine db.Engine, query, plan string) string {
	find := scansOfSQLite
	if engine == db.PostgreSQL {
		find = scansOfPostgreSQL
	}
	found := find(query, plan)
	if len(found) == 0 || Excuse(query) != "" {
		return ""
	}
	return "it reads through " + strings.Join(found, ", ")
}

// Excuse is why a statement may read through a table that grows; "" is that it may not.
func Excuse(query string) string {
	query = spaces.ReplaceAllString(query, " ")
	for words, why := range walks {
		if strings.Contains(query, words) {
			return why
		}
	}
	return ""
}

// Excused are the words by which statements are excused.
func Excused() (words []string) {
	for w := range walks {
		words = append(words, w)
	}
	slices.Sort(words)
	return words
}

var (
	spaces = regexp.MustCompile(`\s+`)

	pgNode    = regexp.MustCompile(`^(\s*)(?:->  )?(?:Parallel )?(Seq Scan|Index Scan|Index Only Scan|Index Scan Backward|Index Only Scan Backward|Bitmap Index Scan)(?: Backward)?(?: using (\w+))? on (\w+)`)
	pgScope   = regexp.MustCompile(`^\((?:\w+\.)?municipality_id = [^()]*\)$`)
	pgAnyNode = regexp.MustCompile(`->|^\w`)

	liteScan   = regexp.MustCompile(`^SCAN (\w+)(.*?(?: INDEX (\w+))?)$`)
	liteSearch = regexp.MustCompile(`^SEARCH (\w+) USING (?:COVERING INDEX|INDEX|PRIMARY KEY|INTEGER PRIMARY KEY)\s?(\w*) \(municipality_id=\?\)`)
	liteNames  = regexp.MustCompile(`\b(` + strings.Join(growing, "|") + `)(?:\s+AS)?\s+(\w+)`)
)

// scansOfPostgreSQL are the tables that grow and that a plan reads by no key, or by the municipality alone.
func scansOfPostgreSQL(query, plan string) (found []string) {
	all := strings.Split(plan, "\n")
	for i, line := range all {
		m := pgNode.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		kind, index, table := m[2], m[3], m[4]
		if kind == "Bitmap Index Scan" {
			index, table = table, tableOf(table)
		}
		if !grows(table) {
			continue
		}
		condition := ""
		for _, detail := range all[i+1:] {
			if pgAnyNode.MatchString(strings.TrimLeft(detail, " ")) && strings.Contains(detail, "->") {
				break
			}
			if rest, ok := strings.CutPrefix(strings.TrimSpace(detail), "Index Cond: "); ok {
				condition = rest
			}
		}
		if kind == "Seq Scan" || condition == "" || pgScope.MatchString(condition) {
			if kind == "Seq Scan" || !bounded(query, index, plan) {
				found = append(found, table)
			}
		}
	}
	return found
}

// tableOf is the table of an index, whose name begins with it.
func tableOf(index string) (table string) {
	for _, t := range growing {
		if strings.HasPrefix(index, t+"_") && len(t) > len(table) {
			table = t
		}
	}
	return table
}

// scansOfSQLite are the tables that grow and that a plan reads by no key, or by the municipality alone.
func scansOfSQLite(query, plan string) (found []string) {
	names := map[string]string{} // of tables, and what the statement calls them
	for _, table := range growing {
		names[table] = table
	}
	for _, m := range liteNames.FindAllStringSubmatch(query, -1) {
		if names[m[2]] == "" {
			names[m[2]] = m[1]
		}
	}
	made := map[string]bool{} // what the statement itself made
	for line := range strings.SplitSeq(plan, "\n") {
		if _, name, ok := strings.Cut(line, "CO-ROUTINE "); ok {
			made[name] = true
		}
		if _, name, ok := strings.Cut(line, "MATERIALIZE "); ok {
			made[name] = true
		}
	}
	for line := range strings.SplitSeq(plan, "\n") {
		line = strings.TrimSpace(line)
		if m := liteScan.FindStringSubmatch(line); m != nil {
			table := names[m[1]]
			byWord := strings.Contains(m[2], "VIRTUAL TABLE INDEX") && !strings.HasSuffix(m[2], "INDEX 0:")
			if table != "" && !made[m[1]] && !byWord && !short[m[3]] {
				found = append(found, table)
			}
		}
		if m := liteSearch.FindStringSubmatch(line); m != nil {
			if table := names[m[1]]; table != "" && !bounded(query, m[2], plan) {
				found = append(found, table)
			}
		}
	}
	return found
}

func grows(table string) bool { return slices.Contains(growing, table) }

// short are the indexes that hold only what waits to be done.
var short = map[string]bool{"message_queued": true, "message_turn": true, "message_unsettled": true, "media_pending": true,
	"audit_unsealed": true, "broadcast_open": true, "broadcast_awaits": true, "broadcast_glass": true, "quarantine_unsolved": true}

var limit = regexp.MustCompile(`(?i)\bLIMIT\b`)

// bounded reports whether a walk along an index ends early: a page of a listing, in the order of the index, or an
// index that is short.
func bounded(query, index, plan string) bool {
	return short[index] || limit.MatchString(query) && !strings.Contains(plan, "Sort Key") && !strings.Contains(plan, "TEMP B-TREE FOR ORDER BY")
}
