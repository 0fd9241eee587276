// SPDX-License-Identifier: AGPL-3.0-or-later

package dbtest

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

const (
	largeName   = "filodiretto_large"
	rowsOfLarge = 5_000
)

// longest are the tables that other ones are joined to: of few rows PostgreSQL would rather read them all.
var longest = strings.Fields("contact conversation message subscription")

// largeDatabase is a PostgreSQL database in which every table that grows has many rows, all of one
// municipality, so that its planner plans as it will after years.
var largeDatabase = sync.OnceValues(func() (*sql.DB, error) {
	if err := templateOnce(); err != nil {
		return nil, err
	}
	if err := makeDatabase(largeName, fillLarge); err != nil {
		return nil, fmt.Errorf("make the large database: %w", err)
	}
	dsn, err := dsnOf(largeName)
	if err != nil {
		return nil, err
	}
	separator := "?"
	if strings.Contains(dsn, separator) {
		separator = "&"
	}
	return sql.Open("pgx", dsn+separator+"enable_seqscan=off") // the question is whether there is another way, not whether it is worth it
})

// usual is what most rows of a table have in a column ("table column"), as an expression over g, the number of the row. What is not
// named here differs from row to row.
var usual = map[string]string{
	"conversation state":         `CASE WHEN g % 20 = 0 THEN 'open' ELSE 'resolved' END`,
	"conversation holder_id":     `CASE WHEN g % 20 = 0 THEN g % 7 ELSE 0 END`,
	"conversation waiting_since": `CASE WHEN g % 40 = 0 THEN now() - g * interval '1 minute' END`,
	"conversation office":        `(ARRAY['', 'urp', 'anagrafe'])[1 + g % 3]`,
	"message direction":          `CASE WHEN g % 3 = 0 THEN 'out' ELSE 'in' END`,
	"message type":               `CASE WHEN g % 9 = 0 THEN 'template' ELSE 'text' END`,
	"message status":             `CASE WHEN g % 500 = 0 THEN 10 WHEN g % 501 = 0 THEN 30 ELSE 80 END`,
	"message lane":               `CASE WHEN g % 1000 = 0 THEN -1 ELSE 1 END`,
	"message broadcast_id":       `CASE WHEN g % 3 = 0 THEN g % 30 ELSE 0 END`,
	"message media_id":           `CASE WHEN g % 10 = 0 THEN g ELSE 0 END`,
	"message contact_id":         `g % 4000`,
	"message conversation_id":    `g % 4000`,
	"message counted":            `2`,
	"message priced":             `2`,
	"message author_id":          `g % 9`,
	"conversation_event kind":    `(ARRAY['opened', 'taken', 'resolved'])[1 + g % 3]`,
	"contact merged_into":        `CASE WHEN g % 50 = 0 THEN g + 1 ELSE 0 END`,
	"contact_address kind":       `CASE WHEN g % 2 = 0 THEN 'phone' ELSE 'bsuid' END`,
	"broadcast state":            `CASE WHEN g % 2000 = 0 THEN 'sending' ELSE 'completed' END`,
	"broadcast completed_at":     `CASE WHEN g % 2000 <> 0 THEN now() - g * interval '1 hour' END`,
	"broadcast follows":          `CASE WHEN g % 10 = 0 THEN g - 1 ELSE 0 END`,
	"broadcast glass":            `CASE WHEN g % 1000 = 0 THEN 'x' ELSE '' END`,
	"subscription topic":         `(ARRAY['AVVISI', 'EMERGENZE', 'EVENTI'])[1 + g % 3]`,
	"subscription state":         `CASE WHEN g % 10 = 0 THEN 0 ELSE 1 END`,
	"consent topic":              `(ARRAY['AVVISI', 'EMERGENZE', 'EVENTI'])[1 + g % 3]`,
	"consent event":              `'given'`,
	"consent contact_id":         `g % 8000`,
	"media state":                `CASE WHEN g % 1000 = 0 THEN 'pending' ELSE 'ready' END`,
	"revision kind":              `'edit'`,
	"revision applied":           `true`,
	"quarantine solved_at":       `CASE WHEN g % 10 <> 0 THEN now() END`,
	"journal kept":               `g % 1000 = 0`,
	"audit seq":                  `CASE WHEN g % 2000 <> 0 THEN g ELSE 0 END`,
	"audit action":               `'conversation.taken'`,
	"news field":                 `'message_template_status_update'`,
	"tally name":                 `(ARRAY['sent', 'received', 'joined:AVVISI:whatsapp', 'left:AVVISI:whatsapp'])[1 + g % 4]`,
	"tally day":                  `to_char(now() - (g / 4) * interval '1 day', 'YYYY-MM-DD')`,
	"message_search vector":      `array_to_tsvector(ARRAY['m00000001x' || g, 'm00000001xciao'])`,
	"contact_search vector":      `array_to_tsvector(ARRAY['m00000001x' || g, 'm00000001xmaria'])`,
}

// ofType is what a column has that usual does not name.
var ofType = map[string]string{
	"bigint": "g", "integer": "g", "smallint": "g % 10", "boolean": "g % 10 = 0", "text": "'x' || g", "jsonb": "'{}'", "bytea": "''",
	"timestamp with time zone": "now() - g * interval '1 minute'",
}

// fillLarge fills every table that grows, and lets the planner know of it. Whatever the municipality and the
// number of a statement are, the planner is to take them for the ones that have all rows: with the common values
// that it has met taken from it, it goes by how many different ones there are.
func fillLarge(ctx context.Context, c *pgx.Conn) error {
	tables, err := columnsOf(ctx, c)
	if err != nil {
		return err
	}
	for table, columns := range tables {
		rows := rowsOfLarge
		switch {
		case !grows(table):
			rows = 20
		case slices.Contains(longest, table):
			rows *= 5
		}
		var names, values []string
		for _, col := range columns {
			value := usual[table+" "+col.name]
			switch {
			case col.name == "municipality_id" && grows(table):
				value = "1"
			case col.name == "number":
				value = "'n' || g % 2"
			case value == "":
				value = ofType[col.kind]
			}
			if value == "" {
				return fmt.Errorf("%s.%s is of the type %s, of which nothing is known", table, col.name, col.kind)
			}
			names, values = append(names, col.name), append(values, value)
		}
		if _, err := c.Exec(ctx, "ALTER TABLE "+table+" SET (autovacuum_enabled = false)"); err != nil { // it would undo what is done below
			return fmt.Errorf("keep %s as it is: %w", table, err)
		}
		if _, err := c.Exec(ctx, fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM generate_series(1, %d) AS g ON CONFLICT DO NOTHING",
			table, strings.Join(names, ", "), strings.Join(values, ", "), rows)); err != nil {
			return fmt.Errorf("fill %s: %w", table, err)
		}
	}
	for _, command := range []string{
		"VACUUM (ANALYZE)",
		`UPDATE pg_statistic SET stakind1 = 0, stakind2 = 0, stadistinct = CASE attname WHEN 'number' THEN 2 ELSE 1 END
			FROM pg_attribute WHERE starelid = attrelid AND staattnum = attnum AND attname IN ('municipality_id', 'number')`,
	} {
		if _, err := c.Exec(ctx, command); err != nil {
			return err
		}
	}
	return nil
}

type column struct{ name, kind string }

func columnsOf(ctx context.Context, c *pgx.Conn) (map[string][]column, error) {
	rows, err := c.Query(ctx, `SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
		WHERE table_schema = 'public' AND is_generated = 'NEVER' AND table_name NOT LIKE 'river%' AND table_name NOT LIKE '%migration%' ORDER BY ordinal_position`)
	if err != nil {
		return nil, err
	}
	tables := map[string][]column{}
	for rows.Next() {
		var table string
		var col column
		if err := rows.Scan(&table, &col.name, &col.kind); err != nil {
			return nil, err
		}
		if col.kind == "tsvector" && usual[table+" "+col.name] == "" {
			return nil, fmt.Errorf("%s.%s: say what words it usually has", table, col.name)
		}
		tables[table] = append(tables[table], col)
	}
	return tables, rows.Err()
}
