// SPDX-License-Identifier: AGPL-3.0-or-later

package whatsapp

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// What follows reads single JSON values leniently: Meta has sent numbers as
// strings, strings as numbers and null in places its own pages do not mention.

// text reads a string, or a number or boolean as it is written; "" for
// anything else. NUL bytes go, because PostgreSQL refuses them in text.
func text(v gjson.Result) string {
	switch v.Type {
	case gjson.String:
		if strings.IndexByte(v.Str, 0) < 0 {
			return v.Str
		}
		return strings.ReplaceAll(v.Str, "\x00", "")
	case gjson.Number, gjson.True, gjson.False:
		return v.Raw
	default:
		return ""
	}
}

// number reads a finite number, also one written as a string.
func number(v gjson.Result) (float64, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(text(v)), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, false
	}
	return n, true
}

// whole reads a whole number of at most 32 bits.
func whole(v gjson.Result) (int, bool) {
	n, ok := number(v)
	if !ok || n != math.Trunc(n) || math.Abs(n) > math.MaxInt32 {
		return 0, false
	}
	return int(n), true
}

// integer reads a whole number; 0 for anything else.
func integer(v gjson.Result) int {
	n, _ := whole(v)
	return n
}

// truth reads a boolean, also one written as a string or as 1.
func truth(v gjson.Result) bool {
	b, err := strconv.ParseBool(text(v))
	return err == nil && b
}

// raw returns the value as it came, in memory of its own.
func raw(v gjson.Result) json.RawMessage {
	if v.Raw == "" {
		return nil
	}
	return json.RawMessage(v.Raw)
}

// Years in which a WhatsApp message can have been written; what lies outside
// is garbage, not a time.
const (
	earliestSecond = 1230768000 // 2009-01-01, the year WhatsApp began
	latestSecond   = 4102444800 // 2100-01-01
	earliestMilli  = earliestSecond * 1000
	latestMilli    = latestSecond * 1000
)

// moment reads a Unix time in seconds or milliseconds, as number or string;
// false for anything else.
func moment(v gjson.Result) (time.Time, bool) {
	n, ok := number(v)
	switch {
	case !ok:
		return time.Time{}, false
	case n >= earliestSecond && n < latestSecond:
		return time.Unix(int64(n), 0).UTC(), true
	case n >= earliestMilli && n < latestMilli:
		return time.UnixMilli(int64(n)).UTC(), true
	default:
		return time.Time{}, false
	}
}

// each visits the fields of an object; nothing else has any.
func each(v gjson.Result, visit func(key string, value gjson.Result)) {
	if !v.IsObject() {
		return
	}
	v.ForEach(func(key, value gjson.Result) bool {
		visit(key.Str, value)
		return true
	})
}

// items lists the elements of an array; a null or absent one has none. It is
// not ok when the value is something else.
func items(v gjson.Result) (list []gjson.Result, ok bool) {
	switch {
	case v.IsArray():
		return v.Array(), true
	case v.Type == gjson.Null:
		return nil, true
	default:
		return nil, false
	}
}

// nestsDeeper tells whether valid JSON has arrays and objects within each
// other beyond the limit.
func nestsDeeper(s string, limit int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
