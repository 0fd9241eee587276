// SPDX-License-Identifier: AGPL-3.0-or-later

package house

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// publiccode holds what publiccode.yml 0.7 asks of every software
// (https://yml.publiccode.tools/0.7/schema.core.html), and what it asks of ours because of our choices.
type publiccode struct {
	Version           string   `yaml:"publiccodeYmlVersion"`
	Name              string   `yaml:"name"`
	URL               string   `yaml:"url"`
	Platforms         []string `yaml:"platforms"`
	DevelopmentStatus string   `yaml:"developmentStatus"`
	SoftwareType      string   `yaml:"softwareType"`
	ReleaseDate       string   `yaml:"releaseDate"`
	Description       map[string]struct {
		ShortDescription string   `yaml:"shortDescription"`
		LongDescription  string   `yaml:"longDescription"`
		Features         []string `yaml:"features"`
		Screenshots      []string `yaml:"screenshots"`
	} `yaml:"description"`
	Legal struct {
		License string `yaml:"license"`
	} `yaml:"legal"`
	Maintenance struct {
		Type     string `yaml:"type"`
		Contacts []struct {
			Name string `yaml:"name"`
		} `yaml:"contacts"`
	} `yaml:"maintenance"`
	Localisation struct {
		Ready     *bool    `yaml:"localisationReady"`
		Languages []string `yaml:"availableLanguages"`
	} `yaml:"localisation"`
	Supports []struct {
		ID string `yaml:"id"`
	} `yaml:"supports"`
	Organisation *struct {
		URI string `yaml:"uri"`
	} `yaml:"organisation"`
	Italy any `yaml:"IT"`
}

func (p publiccode) problems() []string {
	var problems []string
	must := func(ok bool, problem string) {
		if !ok {
			problems = append(problems, problem)
		}
	}
	must(p.Version == "0.7", `publiccodeYmlVersion must be "0.7"`)
	must(p.Name != "", "name is missing")
	must(strings.HasPrefix(p.URL, "https://"), "url must be an https address")
	must(len(p.Platforms) > 0, "platforms is empty")
	must(slices.Contains([]string{"concept", "development", "beta", "stable", "obsolete"}, p.DevelopmentStatus), "developmentStatus is unknown")
	must(p.SoftwareType == "standalone/web", "softwareType must be standalone/web")
	_, err := time.Parse(time.DateOnly, p.ReleaseDate)
	must(err == nil, "releaseDate is not YYYY-MM-DD")
	must(p.Description["it"].ShortDescription != "" && p.Description["en"].ShortDescription != "", "description must be in it and en")
	for language, d := range p.Description {
		must(within(d.ShortDescription, 1, 150), language+": shortDescription must have 1 to 150 characters")
		must(within(d.LongDescription, 150, 10_000), language+": longDescription must have 150 to 10,000 characters")
		must(len(d.Features) >= 5 && len(d.Features) <= 20, language+": features must be 5 to 20")
	}
	must(p.Legal.License == "AGPL-3.0-or-later", "legal.license must be AGPL-3.0-or-later")
	must(slices.Contains([]string{"internal", "contract", "community", "none"}, p.Maintenance.Type), "maintenance.type is unknown")
	if p.Maintenance.Type == "internal" || p.Maintenance.Type == "community" {
		must(len(p.Maintenance.Contacts) > 0 && p.Maintenance.Contacts[0].Name != "", "maintenance.contacts needs a name")
	}
	must(p.Localisation.Ready != nil, "localisation.localisationReady is missing")
	must(len(p.Localisation.Languages) > 0, "localisation.availableLanguages is empty")
	must(p.Organisation == nil || p.Organisation.URI != "", "organisation.uri is missing")
	must(p.Italy == nil, "the section IT is deprecated since 0.7")
	known := regexp.MustCompile(`^alias:(gdpr|eidas|nis2|cra|spid|cie|anpr|pagopa|io)$`)
	for _, s := range p.Supports {
		must(!strings.HasPrefix(s.ID, "alias:") || known.MatchString(s.ID), "supports: unknown alias "+s.ID)
	}
	return problems
}

func within(text string, least, most int) bool {
	n := utf8.RuneCountInString(text)
	return n >= least && n <= most
}

func readPubliccode(t *testing.T, change ...string) publiccode {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "publiccode.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var p publiccode
	if err := yaml.Unmarshal([]byte(strings.NewReplacer(change...).Replace(string(text))), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPubliccodeHasItsMandatoryKeys(t *testing.T) {
	p := readPubliccode(t)
	for _, problem := range p.problems() {
		t.Errorf("publiccode.yml: %s", problem)
	}
	for language, d := range p.Description {
		for _, picture := range d.Screenshots {
			if _, err := os.Stat(filepath.Join(root, picture)); err != nil {
				t.Errorf("publiccode.yml: %s: the screenshot is not there: %v", language, err)
			}
		}
	}
}

// Each rule must be able to fail.
func TestPubliccodeRules(t *testing.T) {
	tests := []struct{ old, new, want string }{
		{`publiccodeYmlVersion: "0.7"`, `publiccodeYmlVersion: "0.5"`, "publiccodeYmlVersion"},
		{"\nname: Filodiretto", "", "name is missing"},
		{"\nurl: ", "\nurl_: ", "url"},
		{"platforms:", "platforms_:", "platforms"},
		{"developmentStatus: development", "developmentStatus: soon", "developmentStatus"},
		{"softwareType: ", "softwareType_: ", "softwareType"},
		{"shortDescription:", "shortDescription_:", "shortDescription"},
		{"longDescription:", "longDescription_:", "longDescription"},
		{"features:", "features_:", "features"},
		{"license:", "license_:", "license"},
		{"contacts:", "contacts_:", "maintenance.contacts"},
		{"localisationReady:", "localisationReady_:", "localisationReady"},
		{"availableLanguages:", "availableLanguages_:", "availableLanguages"},
		{"\nlegal:", "\nsupports: [{id: \"alias:unknown\"}]\nlegal:", "unknown alias"},
		{"\nlegal:", "\nIT: {countryExtensionVersion: \"1.0\"}\nlegal:", "IT"},
	}
	for _, test := range tests {
		problems := readPubliccode(t, test.old, test.new).problems()
		if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, test.want) }) {
			t.Errorf("%q instead of %q: problems are %q, want one about %s", test.new, test.old, problems, test.want)
		}
	}
}
