// SPDX-License-Identifier: AGPL-3.0-or-later

package db

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/italian"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
	"golang.org/x/text/unicode/norm"
)

// Index is one of the two full-text indexes.
type Index string

// The indexes.
const (
	MessageSearch Index = "message_search" // texts, stemmed in Italian
	ContactSearch Index = "contact_search" // names and addresses, as they are
)

// Doc is a text to be found again by its id.
type Doc struct {
	ID   int64
	Text string
}

const (
	maxIndexedWords = 1500
	maxQueryWords   = 12
)

// Index puts docs into the index, replacing what was there for their ids when replace is set.
// Words are stemmed here, so that both engines find the same.
func (t *Tx) Index(ctx context.Context, index Index, municipality int64, docs []Doc, replace bool) error {
	var rows, ids [][]any
	for _, d := range docs {
		ids = append(ids, []any{municipality, d.ID})
		if words := index.words(d.Text, maxIndexedWords); len(words) > 0 {
			rows = append(rows, row(t.Engine, municipality, d.ID, scoped(municipality, words)))
		}
	}
	insert, remove := `INSERT INTO `+string(index)+` (municipality_id, id, vector) VALUES ($1, $2, array_to_tsvector($3::text[]))`,
		`DELETE FROM `+string(index)+` WHERE municipality_id = $1 AND id = $2`
	if t.Engine == SQLite {
		insert = `INSERT INTO ` + string(index) + ` (rowid, words) SELECT $2, $3 WHERE $1 <> 0`
		remove = `DELETE FROM ` + string(index) + ` WHERE $1 <> 0 AND rowid = $2`
	}
	if replace {
		if _, err := t.Exec(ctx, remove, ids); err != nil {
			return fmt.Errorf("remove from %s: %w", index, err)
		}
	}
	if _, err := t.Exec(ctx, insert, rows); err != nil {
		return fmt.Errorf("add to %s: %w", index, err)
	}
	return nil
}

// row is a document as the engine's index takes it. PostgreSQL gets the words as they are, as parsing them
// again would cost as much as storing them.
func row(engine Engine, municipality, id int64, words []string) []any {
	if engine == PostgreSQL {
		return []any{municipality, id, words}
	}
	return []any{municipality, id, strings.Join(words, " ")}
}

// Search returns the ids of the newest documents of the municipality that hold all words of query. Where
// these don't suffice the last word may be only begun, and where that finds nothing all of a name may, and the short
// ones of a text.
func (t *Tx) Search(ctx context.Context, index Index, municipality int64, query string, limit int) ([]int64, error) {
	words := index.words(query, maxQueryWords)
	if len(words) == 0 {
		return nil, nil
	}
	look := func(begun func(i int) bool) ([]int64, error) {
		return t.newest(ctx, index, municipality, wanted(t.Engine, municipality, words, begun), limit)
	}
	last := len(words) - 1
	used := func(begun func(i int) bool) (yes bool, err error) { // the words before the last
		one, err := t.newest(ctx, index, municipality, wanted(t.Engine, municipality, words[:last], begun), 1)
		return len(one) > 0, err
	}
	whole := func(int) bool { return false }
	ids, err := look(whole)
	if err != nil || index.suffices(len(ids), limit) {
		return ids, err
	}
	// Begun words are dear: all that begin so are gathered. Beside words that nobody has used they find nothing.
	there := last == 0 || len(ids) > 0
	if !there {
		there, err = used(whole)
	}
	if err == nil && there {
		ids, err = look(func(i int) bool { return i == last })
	}
	short := func(i int) bool { return index == ContactSearch || len(words[i]) <= longestBegun }
	if err != nil || len(ids) > 0 || !slices.ContainsFunc(words[:last], func(w string) bool { return short(slices.Index(words, w)) }) {
		return ids, err
	}
	if there, err = used(short); err != nil || !there {
		return nil, err
	}
	return look(func(i int) bool { return i == last || short(i) })
}

// longestBegun is the length of the longest word, with its x, that in a text may be only begun without being the last.
const longestBegun = 5

// suffices spares the search for begun words. A message that holds the words is what was looked for;
// somebody called Ros may be in the way of Rossi.
func (i Index) suffices(found, limit int) bool {
	return found == limit || found > 0 && i == MessageSearch
}

// wanted is the query in the engine's language; some of the words may be only begun.
func wanted(engine Engine, municipality int64, words []string, begun func(i int) bool) string {
	and, star := " & ", ":*"
	if engine == SQLite {
		and, star = " AND ", "*"
	}
	terms := scoped(municipality, words)
	for i := range terms {
		if begun(i) {
			terms[i] += star
		}
	}
	return strings.Join(terms, and)
}

// newest finds the newest documents that are wanted. SQLite's index of words walks back and stops when it has enough.
// PostgreSQL's knows no order, and each document it finds must be read for its id: so the newest are looked through one by
// one as long as that promises enough; then a stretch of the newest is asked of the index, and, by what is in it, a longer one.
func (t *Tx) newest(ctx context.Context, index Index, municipality int64, wanted string, limit int) (ids []int64, err error) {
	if t.Engine == SQLite {
		return t.found(ctx, index, `SELECT rowid FROM `+string(index)+` WHERE `+string(index)+` MATCH $1 ORDER BY rowid DESC LIMIT $2`, wanted, limit)
	}
	const first, last = 500, 4000
	for _, walk := range []int{first, last} {
		ids, err = t.found(ctx, index, `SELECT id FROM (SELECT id, vector FROM `+string(index)+` WHERE municipality_id = $2 ORDER BY id DESC LIMIT $4) AS newest
			WHERE vector @@ CAST($1 AS text)::tsquery ORDER BY id DESC LIMIT $3`, wanted, municipality, limit, walk)
		if err != nil || len(ids) == limit {
			return ids, err
		}
		if len(ids)*last/first < limit {
			break
		}
	}
	ends, err := t.found(ctx, index, `SELECT id FROM (SELECT id FROM `+string(index)+` WHERE municipality_id = $1 ORDER BY id DESC LIMIT 1) AS newest
		UNION ALL SELECT id FROM (SELECT id FROM `+string(index)+` WHERE municipality_id = $1 ORDER BY id DESC OFFSET $2 LIMIT 1) AS older`, municipality, first)
	if err != nil {
		return nil, err
	}
	if len(ends) < 2 {
		return t.after(ctx, index, municipality, wanted, 0, limit)
	}
	top, stretch, times := ends[0], ends[0]-ends[1], int64(64)
	for {
		floor := int64(0)
		if stretch < top/times {
			floor = top - times*stretch
		}
		ids, err = t.after(ctx, index, municipality, wanted, floor, limit)
		if err != nil || len(ids) == limit || floor == 0 {
			return ids, err
		}
		stretch, times = top-floor, top // of what is rare all can be read
		if len(ids) > 0 {
			times = int64(2*limit/len(ids) + 1)
		}
	}
}

// after finds the newest documents that are wanted, of those with greater ids than floor, by PostgreSQL's index of words.
// Without MATERIALIZED, ORDER BY … LIMIT would lure the planner into walking the primary key; so would municipality_id,
// which the words have in them.
func (t *Tx) after(ctx context.Context, index Index, municipality int64, wanted string, floor int64, limit int) ([]int64, error) {
	return t.found(ctx, index, `WITH hit AS MATERIALIZED (SELECT id FROM `+string(index)+`
		WHERE vector @@ CAST($1 AS text)::tsquery AND municipality_id + 0 = $2 AND id > $3)
		SELECT id FROM hit ORDER BY id DESC LIMIT $4`, wanted, municipality, floor, limit)
}

func (t *Tx) found(ctx context.Context, index Index, query string, args ...any) (ids []int64, err error) {
	err = t.Query(ctx, query, [][]any{args}, func(_ int, row Scanner) error {
		var id int64
		err := row.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("search %s: %w", index, err)
	}
	return ids, nil
}

// scoped are the words as the indexes know them: a municipality's own, so that a search reads no other's and need not
// hold each document against its municipality. Of two municipalities whose scopes happen to be the same, one may find
// documents of the other; what is loaded by the ids found is asked for with the municipality. The migrations make the
// same scopes, and SQLite's index of begun names counts on their length.
func scoped(municipality int64, words []string) []string {
	const prime = 1<<32 - 5 // the greatest that makes eight hexadecimal figures
	scope := fmt.Sprintf("m%08x", municipality%prime)
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = scope + w
	}
	return out
}

// stem brings a word of Italian to what its forms share. The h that keeps a sound before e and i goes
// too, so that buche is found by buca and luoghi by luogo.
func stem(word string) string {
	env := snowballstem.NewEnv(word)
	italian.Stem(env)
	w := env.Current()
	if strings.HasSuffix(w, "ch") || strings.HasSuffix(w, "gh") {
		w = w[:len(w)-1]
	}
	return w
}

// words folds s into the words the index knows it by, but for their scope. Each begins with x, which keeps them apart from
// it and from the query language.
func (i Index) words(s string, most int) []string {
	fields := strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(fields) > most {
		fields = fields[:most]
	}
	out := fields[:0]
	for _, w := range fields {
		if w = i.Word(w); w != "" {
			out = append(out, "x"+w)
		}
	}
	return out
}

// longestWord is in bytes; what is longer is found by its beginning.
const longestWord = 60

// Word is what the index takes a word for: lower case, without accents, and in texts without its ending.
func (i Index) Word(w string) string {
	w = strings.ToLower(w)
	if i == MessageSearch {
		w = stem(w)
	}
	if !ascii(w) {
		if folded, _, err := transform.String(transform.Chain(norm.NFD, runes.Remove(runes.In(unicode.Mn)), norm.NFC), w); err == nil {
			w = folded
		}
	}
	if len(w) > longestWord {
		w = strings.ToValidUTF8(w[:longestWord], "")
	}
	return w
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
