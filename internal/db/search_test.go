// SPDX-License-Identifier: AGPL-3.0-or-later

package db_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
)

// Whole words are found; where there are none, a last word that is only begun; else only begun ones.
func TestSearchTakesWhatFitsBest(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		index(t, d, 7, map[int64]string{1: "La buca in via Rossini", 2: "Una buca in viale Roma", 3: "Il lampione di via Rossini", 4: "Lampioni spenti in viale Roma"})
		index(t, d, 8, map[int64]string{5: "La buca in via Rossini"})
		for query, want := range map[string][]int64{
			"via":           {3, 1},
			"vi":            {4, 3, 2, 1},
			"lampioni":      {4, 3}, // stemmed
			"buca rossini":  {1},
			"buca ros":      {1},
			"bu ros":        {1},
			"BUCÀ, VIALE":   {2},
			"via rossini 4": nil,
			"!?":            nil,
		} {
			if got := search(t, d, 7, query, 10); !slices.Equal(got, want) {
				t.Errorf("%q finds %v, not %v", query, got, want)
			}
		}
	})
}

// Of a common word the newest are found, of a rare one all, however many messages there are.
func TestSearchAmongMany(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		docs := make(map[int64]string)
		for i := int64(1); i <= 6000; i++ {
			docs[i] = "Buongiorno"
			if i%700 == 0 {
				docs[i] = "Buongiorno, una buca"
			}
		}
		docs[3] = "Buongiorno, il lampione"
		index(t, d, 7, docs)
		for query, want := range map[string][]int64{
			"buongiorno":          {6000, 5999, 5998, 5997, 5996},
			"buca":                {5600, 4900, 4200, 3500, 2800},
			"lampione":            {3},
			"buongiorno lampione": {3},
		} {
			if got := search(t, d, 7, query, 5); !slices.Equal(got, want) {
				t.Errorf("%q finds %v, not %v", query, got, want)
			}
		}
	})
}

func index(t *testing.T, d *db.DB, municipality int64, texts map[int64]string) {
	t.Helper()
	var docs []db.Doc
	for id, text := range texts {
		docs = append(docs, db.Doc{ID: id, Text: text})
	}
	if err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
		return tx.Index(ctx, db.MessageSearch, municipality, docs, false)
	}); err != nil {
		t.Fatal(fmt.Errorf("index %d texts: %w", len(docs), err))
	}
}

func search(t *testing.T, d *db.DB, municipality int64, query string, limit int) (ids []int64) {
	t.Helper()
	if err := d.View(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
		ids, err = tx.Search(ctx, db.MessageSearch, municipality, query, limit)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}

// However far back it is, what holds the words is found, the newest first: the steps by which it is looked for do
// not show.
func TestSearchIsCompleteAmongMany(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		const many, first = 12_000, 1 << 40 // ids are large: what is looked through is a stretch of them
		var docs []db.Doc
		for i := range int64(many) {
			text := "buongiorno"
			if i%1000 == 0 { // a few in every stretch
				text += " lampione"
			}
			if i == 0 || i == many-1 { // the oldest and the newest
				text += " tombino"
			}
			docs = append(docs, db.Doc{ID: first + i, Text: text})
		}
		err := d.Update(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			return tx.Index(ctx, db.MessageSearch, 7, docs, false)
		})
		if err != nil {
			t.Fatal(err)
		}
		for query, want := range map[string][]int64{
			"tombino":            {many - 1, 0},
			"lampione tombino":   {0},
			"lampione":           {11000, 10000, 9000, 8000, 7000},
			"buongiorno":         {many - 1, many - 2, many - 3, many - 4, many - 5},
			"buongiorno tombino": {many - 1, 0},
			"lampi":              {11000, 10000, 9000, 8000, 7000},
		} {
			err := d.View(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				got, err := tx.Search(ctx, db.MessageSearch, 7, query, 5)
				for i := range got {
					got[i] -= first
				}
				if !slices.Equal(got, want) {
					t.Errorf("%q finds %v, not %v", query, got, want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
