// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/dbtest"
	"github.com/filodiretto/filodiretto/internal/dialogue"
	"github.com/filodiretto/filodiretto/internal/journal"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/towntest"
)

// Whatever comes with a good signature is stored by both engines: an entry that fails would go to quarantine whole, and
// good messages of it with it.
func FuzzDigest(f *testing.F) {
	files, err := filepath.Glob("../whatsapp/testdata/webhooks/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("%d payloads, %v", len(files), err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for was, is := range map[string]string{"106500001": "1001", "102200001": "2001"} {
			body = bytes.ReplaceAll(body, []byte(was), []byte(is))
		}
		f.Add(body)
	}
	for _, value := range []string{
		`"field":"account_update","value":{"event":"\u0000","restriction_info":[{"restriction_type":"A","expiration":1}]}`,
		`"field":"message_template_status_update","value":{"event":"PAUSED","message_template_name":"avviso","message_template_language":"it"}`,
		`"field":"business_capability_update","value":{"max_daily_conversations_per_business":-1}`,
		`"field":"user_preferences","value":{"user_preferences":[{"wa_id":"393331234567","category":"marketing_messages","value":"stop","timestamp":1764000000}]}`,
	} {
		f.Add([]byte(`{"entry":[{"id":"2001","time":1764000000,"changes":[{` + value + `}]}]}`))
	}
	var desks []digester
	for _, d := range []*db.DB{dbtest.SQLite(f), dbtest.Postgres(f)} {
		desks = append(desks, newDigester(f, d))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, desk := range desks {
			for range 2 {
				if err := desk.digest(t.Context(), body); err != nil {
					t.Fatalf("%s: %v", desk.d.Engine, err)
				}
			}
		}
	})
}

// digester is a processor without the journal before it.
type digester struct {
	d *db.DB
	p *Processor
	m int64
}

func newDigester(f *testing.F, d *db.DB) digester {
	key := towntest.Key(f)
	text := strings.Replace(towntest.File, "automation: none", "automation: keywords", 1) + "lists: [{keyword: EMERGENZE, name: Emergenze, kind: emergency}]\n"
	out := digester{d: d, m: towntest.Apply(f, d, key, text).ID}
	directory, err := municipality.NewDirectory(f.Context(), d, key)
	if err != nil {
		f.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	out.p = NewProcessor(d, directory, journal.New(d, log), dialogue.New(broadcast.NewKeywords(key, "")), prometheus.NewRegistry(), log)
	return out
}

func (d digester) digest(ctx context.Context, body []byte) error {
	return d.d.Update(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := d.p.digest(ctx, tx, []journal.Entry{{Municipality: d.m, ID: 1, ReceivedAt: tx.Now(), Body: body}})
		return err
	})
}
