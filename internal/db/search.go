// SPDX-License-Identifier: AGPL-3.0-or-later

package db

import (
	"context"
	"fmt"
	"slices"
	"strconv"
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
			rows = append(rows, index.row(t.Engine, municipality, d.ID, words))
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
func (i Index) row(engine Engine, municipality, id int64, words []string) []any {
	if engine == PostgreSQL {
		return []any{municipality, id, append(words, scopeWord(municipality))}
	}
	return []any{municipality, id, strings.Join(scoped(municipality, words), " ")}
}

// Search returns the ids of the newest documents of the municipality that hold all words of query. Where
// these don't suffice the last word may be only begun, and where that finds nothing all of a name may, and the short
// ones of a text.
func (t *Tx) Search(ctx context.Context, index Index, municipality int64, query string, limit int) ([]int64, error) {
	words := index.words(query, maxQueryWords)
	if len(words) == 0 {
		return nil, nil
	}
	look := func(words []string, limit int, begun func(i int) bool) ([]int64, error) {
		return t.lookUp(ctx, index, municipality, wanted(t.Engine, municipality, words, begun), 0, limit)
	}
	last := len(words) - 1
	whole := func(int) bool { return false }
	ids, err := t.newest(ctx, index, municipality, wanted(t.Engine, municipality, words, whole), limit)
	if err != nil || index.suffices(len(ids), limit) {
		return ids, err
	}
	// Begun words are dear: all that begin so are gathered. Beside words that nobody has used they find nothing.
	before := ids
	if last > 0 && len(ids) == 0 {
		before, err = look(words[:last], 1, whole)
	}
	if err == nil && (last == 0 || len(before) > 0) {
		ids, err = look(words, limit, func(i int) bool { return i == last })
	}
	short := func(i int) bool { return index == ContactSearch || len(words[i]) <= longestBegun }
	if err != nil || len(ids) > 0 || !slices.ContainsFunc(words[:last], func(w string) bool { return short(slices.Index(words, w)) }) {
		return ids, err
	}
	if before, err = look(words[:last], 1, short); err != nil || len(before) == 0 {
		return nil, err
	}
	return look(words, limit, func(i int) bool { return i == last || short(i) })
}

// longestBegun is the length of the longest word, with its x, that in a text may be only begun without being the last.
const longestBegun = 5

// suffices spares the search for begun words. A message that holds the words is what was looked for;
// somebody called Ros may be in the way of Rossi.
func (i Index) suffices(found, limit int) bool {
	return found == limit || found > 0 && i == MessageSearch
}

// wanted is the query in the engine's language; some of the words may be only begun. On PostgreSQL the word of the
// municipality comes last: it is in all its documents.
func wanted(engine Engine, municipality int64, words []string, begun func(i int) bool) string {
	and, star := " & ", ":*"
	terms := append(slices.Clone(words), scopeWord(municipality))
	if engine == SQLite {
		and, star = " AND ", "*"
		terms = scoped(municipality, words)
	}
	for i := range words {
		if begun(i) {
			terms[i] += star
		}
	}
	return strings.Join(terms, and)
}

// lookUp finds the newest documents whose id is greater than floor by the index of words.
func (t *Tx) lookUp(ctx context.Context, index Index, municipality int64, wanted string, floor int64, limit int) ([]int64, error) {
	if t.Engine == SQLite { // walks back and stops when it has enough
		return t.found(ctx, index, `SELECT rowid FROM `+string(index)+` WHERE `+string(index)+` MATCH $1 AND rowid > $2 ORDER BY rowid DESC LIMIT $3`, wanted, floor, limit)
	}
	// The planner does not know how many a word is in, nor that a municipality may have most of what there is. It must
	// not gather all of the municipality's beside the words', which the + 0 prevents, unless they are only a stretch; and
	// without MATERIALIZED, ORDER BY … LIMIT would lure it into walking the primary key.
	within := `municipality_id + 0 = $2 AND id + 0 > $3`
	if floor > 0 {
		within = `municipality_id = $2 AND id > $3`
	}
	return t.found(ctx, index, `WITH hit AS MATERIALIZED (SELECT id FROM `+string(index)+`
		WHERE vector @@ CAST($1 AS text)::tsquery AND `+within+`)
		SELECT id FROM hit ORDER BY id DESC LIMIT $4`, wanted, municipality, floor, limit)
}

// newest is lookUp without gathering all there are of a word that is common: PostgreSQL's index of words knows no
// order. It walks back from the newest document as long as that promises enough, then looks up a stretch of the
// newest, and only then all: what is rare in the stretch is so few times among the rest that all can be gathered.
func (t *Tx) newest(ctx context.Context, index Index, municipality int64, wanted string, limit int) (ids []int64, err error) {
	const first, last, stretches = 500, 4000, 8
	if t.Engine == SQLite {
		return t.lookUp(ctx, index, municipality, wanted, 0, limit)
	}
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
		UNION ALL SELECT id FROM (SELECT id FROM `+string(index)+` WHERE municipality_id = $1 ORDER BY id DESC OFFSET $2 LIMIT 1) AS older`, municipality, last)
	if err != nil {
		return nil, err
	}
	if len(ends) == 2 {
		floor := ends[0] - min(ends[0], stretches*(ends[0]-ends[1]))
		if ids, err = t.lookUp(ctx, index, municipality, wanted, floor, limit); err != nil || len(ids) == limit {
			return ids, err
		}
	}
	return t.lookUp(ctx, index, municipality, wanted, 0, limit)
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

// scopeWord is a word no text can hold: every other word of an index is letters and digits folded
// to a form that begins with x.
func scopeWord(municipality int64) string { return "m" + strconv.FormatInt(municipality, 36) }

// scoped are the words as SQLite's index knows them: a municipality's own, so that a search reads no other's and need
// not hold each document against its municipality. The scope is always as long: the index of begun names counts on it.
func scoped(municipality int64, words []string) []string {
	scope := fmt.Sprintf("m%016x", municipality)
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

// words folds s into the words the index knows it by. Each begins with x, which keeps them apart from
// the scope and from the query language.
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
