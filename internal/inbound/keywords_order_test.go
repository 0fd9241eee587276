// SPDX-License-Identifier: AGPL-3.0-or-later

package inbound_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// outcome is what a citizen who says these words, in this order, is subscribed to in the end.
func outcome(double bool, words []string) string {
	on, pending := map[string]bool{}, map[string]bool{}
	for _, w := range words {
		verb, topic, _ := strings.Cut(w, " #")
		topics := []string{"EMERGENZE", "PUBBLICAUTILITA"}
		if topic != "" {
			topics = []string{topic}
		}
		for _, topic := range topics {
			switch {
			case verb == "ISCRIZIONE ON" && double && !on[topic]:
				pending[topic] = true
			case verb == "ISCRIZIONE ON":
				on[topic] = true
			case verb == "ISCRIZIONE OFF", verb == "STOP":
				delete(on, topic)
				delete(pending, topic)
			case verb == "SÌ":
				if pending[topic] {
					on[topic] = true
				}
				delete(pending, topic)
			}
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(on)), " ")
}

// Whatever order the words of a citizen are processed in, at once or one by one, the end is that of the order in
// which they were said (invariant 13).
func TestWordsInAnyOrder(t *testing.T) {
	vocabulary := []string{"ISCRIZIONE ON", "ISCRIZIONE ON #EMERGENZE", "ISCRIZIONE ON #PUBBLICAUTILITA", "ISCRIZIONE OFF", "STOP",
		"ISCRIZIONE OFF #EMERGENZE", "SÌ", "SÌ"}
	const length, sequences = 6, 60
	for _, confirm := range []string{"single", "double"} {
		t.Run(confirm, func(t *testing.T) {
			eachOf(t, rimini("confirm: single", "confirm: "+confirm), func(t *testing.T, o *office) {
				start := time.Now().Add(-30 * time.Minute)
				random := rand.New(rand.NewPCG(7, uint64(len(confirm))))
				type run struct {
					phone string
					words []string
					order []int
					want  string
				}
				var runs []run
				steps := make([][]string, length)
				for n := range sequences {
					words := make([]string, length)
					for i := range words {
						words[i] = vocabulary[random.IntN(len(vocabulary))]
					}
					backwards := []int{5, 4, 3, 2, 1, 0}
					for k, order := range [][]int{{0, 1, 2, 3, 4, 5}, backwards, random.Perm(length), random.Perm(length), random.Perm(length), random.Perm(length)} {
						r := run{phone: fmt.Sprintf("39333%03d%04d", n, k), words: words, order: order, want: outcome(confirm == "double", words)}
						runs = append(runs, r)
						for at, i := range order {
							step := at
							if k > 3 { // all at once
								step = 0
							}
							steps[step] = append(steps[step], text(r.phone, fmt.Sprintf("wamid.%s.%d", r.phone, i), fmt.Sprint(start.Add(time.Duration(i)*time.Minute).Unix()), words[i]))
						}
					}
				}
				for _, step := range steps {
					o.deliver(change(`"messages":[` + strings.Join(step, ",") + `]`))
				}
				for _, r := range runs {
					if got := o.lists(r.phone); got != r.want {
						t.Errorf("%s: %q processed in the order %v gives %q, want %q", r.phone, r.words, r.order, got, r.want)
					}
				}
			})
		})
	}
}
