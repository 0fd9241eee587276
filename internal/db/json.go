// SPDX-License-Identifier: AGPL-3.0-or-later

package db

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"
)

// JSON is a column of JSON. It is stored as text on both engines: SQLite would take bytes for a blob.
type JSON []byte

// Value writes the text; nothing is an empty object.
func (j JSON) Value() (driver.Value, error) {
	if len(j) == 0 {
		return "{}", nil
	}
	return string(j), nil
}

// Scan reads either engine's form.
func (j *JSON) Scan(v any) error {
	switch v := v.(type) {
	case []byte:
		*j = append((*j)[:0:0], v...)
	case string:
		*j = JSON(v)
	case nil:
		*j = nil
	default:
		return fmt.Errorf("scan a JSON column from %T", v)
	}
	return nil
}

// MarshalJSON passes the text through.
func (j JSON) MarshalJSON() ([]byte, error) {
	if len(j) == 0 {
		return []byte("{}"), nil
	}
	return j, nil
}

// ToJSON marshals v for a column; v must be of a kind that always marshals.
func ToJSON(v any) (JSON, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("marshal %T: %w", v, err)
	}
	return b, nil
}

// Into unmarshals the column into v; an empty one leaves v alone.
func (j JSON) Into(v any) error {
	if len(j) == 0 {
		return nil
	}
	if err := json.Unmarshal(j, v); err != nil {
		return fmt.Errorf("read a JSON column into %T: %w", v, err)
	}
	return nil
}

// Time is a time that comes out of an expression: SQLite forgets there that the number is one.
type Time struct{ time.Time }

// Scan reads either engine's form.
func (t *Time) Scan(v any) error {
	switch v := v.(type) {
	case time.Time:
		t.Time = v.UTC()
	case int64:
		t.Time = time.UnixMicro(v).UTC()
	default:
		return fmt.Errorf("scan a time from %T", v)
	}
	return nil
}
