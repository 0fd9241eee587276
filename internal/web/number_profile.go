// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"github.com/filodiretto/filodiretto/internal/db"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/municipality"
	"github.com/filodiretto/filodiretto/internal/web/page"
	"github.com/filodiretto/filodiretto/internal/whatsapp"
)

func (s *Server) profilePage(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number) error {
	p, err := s.Client.BusinessProfile(r.Context(), n.Account())
	shown := page.ProfileForm{Head: headOf(r, n, page.NumberProfile)}
	if err != nil {
		shown.Unread = inWords(v, metaFault(err))
		return s.drawProfile(w, r, v, statusOf(metaFault(err)), shown)
	}
	proposed := proposedProfile(v, n)
	shown.Profile, shown.Proposed = profileFields(p, proposed)
	shown.Picture = p.Picture != ""
	return s.drawProfile(w, r, v, http.StatusOK, shown)
}

func (s *Server) drawProfile(w http.ResponseWriter, r *http.Request, v *visit, status int, shown page.ProfileForm) error {
	return s.draw(w, r, status, page.NumberProfilePage(s.settingsFrame(v, page.TabNumbers), shown))
}

// proposedProfile is what the municipality's file says of the office that answers on the number.
func proposedProfile(v *visit, n municipality.Number) whatsapp.BusinessProfile {
	f := v.municipality.File
	office, ok := f.Office(n.Office)
	if !ok && len(f.Offices) > 0 {
		office = f.Offices[0]
	}
	p := whatsapp.BusinessProfile{
		About:       shortened(f.Locale.T("desk.number.propose_about", "service", f.Service, "municipality", f.Name), whatsapp.MaxAbout),
		Description: shortened(f.Locale.T("desk.number.propose_description", "municipality", f.Name, "office", cmp.Or(office.Name, f.Name)), whatsapp.MaxDescription),
		Address:     shortened(office.Address, whatsapp.MaxAddress), Email: office.Email, Vertical: whatsapp.Government,
	}
	for _, c := range f.Channels {
		if c.Kind == "web" && len(p.Websites) < whatsapp.MaxWebsites {
			p.Websites = append(p.Websites, c.Value)
		}
	}
	return p
}

// profileFields is what stands in the form: what Meta has, and where it has nothing what is proposed.
func profileFields(p, proposed whatsapp.BusinessProfile) (shown page.Profile, filled bool) {
	pick := func(has, propose string) string {
		filled = filled || has == "" && propose != ""
		return cmp.Or(has, propose)
	}
	if p.Vertical == "UNDEFINED" {
		p.Vertical = ""
	}
	shown = page.Profile{About: pick(p.About, proposed.About), Address: pick(p.Address, proposed.Address), Description: pick(p.Description, proposed.Description),
		Email: pick(p.Email, proposed.Email), Vertical: pick(p.Vertical, proposed.Vertical)}
	sites := p.Websites
	if len(sites) == 0 {
		sites, filled = proposed.Websites, filled || len(proposed.Websites) > 0
	}
	copy(shown.Websites[:], sites)
	return shown, filled
}

func (s *Server) setProfile(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number) error {
	var err error
	p := whatsapp.BusinessProfile{Vertical: cmp.Or(field(r, "vertical"), whatsapp.Government), About: field(r, "about"), Address: field(r, "address"),
		Description: field(r, "description"), Email: field(r, "email")}
	for _, site := range r.PostForm["website"] {
		if site = strings.TrimSpace(db.Text(site)); site != "" {
			p.Websites = append(p.Websites, site)
		}
	}
	if name, why := p.Problem(); name != "" {
		err = fault.New(fault.Invalid, "desk.number.problem_"+name+"_"+why)
	} else {
		err = s.ask(r, v, deedOn(n, profileChanged, nil), func(ctx context.Context) error { return s.Client.SetBusinessProfile(ctx, n.Account(), p) })
	}
	if err == nil {
		return s.saved(w, r, v, n, page.NumberProfile)
	}
	if !told(err) {
		return err
	}
	shown := page.ProfileForm{Head: headOf(r, n, page.NumberProfile), Problem: inWords(v, err)}
	shown.Profile, _ = profileFields(p, whatsapp.BusinessProfile{})
	return s.drawProfile(w, r, v, statusOf(err), shown)
}

const maxPicture = 5 << 20 // bytes

var (
	errPicture      = fault.New(fault.Invalid, "desk.number.picture_type")
	errPictureLarge = fault.New(fault.TooLarge, "desk.number.picture_large")
)

// setPicture gives Meta the profile's picture by a resumable upload.
func (s *Server) setPicture(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number) error {
	data, mime, err := pictureOf(w, r)
	if err == nil {
		err = s.ask(r, v, deedOn(n, pictureChanged, nil), func(ctx context.Context) error {
			handle, err := s.Client.Upload(ctx, n.Account(), "picture", mime, int64(len(data)), bytes.NewReader(data))
			if err != nil {
				return err
			}
			return s.Client.SetProfilePicture(ctx, n.Account(), handle)
		})
	}
	if err == nil {
		return s.saved(w, r, v, n, page.NumberProfile)
	}
	if !told(err) && fault.KindOf(err) != fault.TooLarge {
		return err
	}
	shown := page.ProfileForm{Head: headOf(r, n, page.NumberProfile), PictureProblem: inWords(v, err)}
	p, unread := s.Client.BusinessProfile(r.Context(), n.Account())
	if unread != nil {
		shown.Unread = inWords(v, metaFault(unread))
	}
	shown.Profile, shown.Proposed = profileFields(p, proposedProfile(v, n))
	shown.Picture = p.Picture != ""
	return s.drawProfile(w, r, v, statusOf(err), shown)
}

// pictureOf reads the file of the form: a JPEG or PNG by its bytes, whatever its name says.
func pictureOf(w http.ResponseWriter, r *http.Request) (data []byte, mime string, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxPicture+maxForm)
	file, _, err := r.FormFile("files")
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return nil, "", errPictureLarge
		}
		return nil, "", errPicture.With(err)
	}
	defer file.Close()
	if data, err = io.ReadAll(io.LimitReader(file, maxPicture+1)); err != nil {
		return nil, "", errPicture.With(err)
	}
	if len(data) > maxPicture {
		return nil, "", errPictureLarge
	}
	for _, mime := range []string{"image/jpeg", "image/png"} {
		if mimetype.Detect(data).Is(mime) {
			return data, mime, nil
		}
	}
	return nil, "", errPicture
}

// picture shows the profile's picture. The browser may load nothing from Meta, so that Meta learns nothing of it.
func (s *Server) picture(w http.ResponseWriter, r *http.Request, v *visit, n municipality.Number) error {
	p, err := s.Client.BusinessProfile(r.Context(), n.Account())
	if err != nil {
		return metaFault(err)
	}
	var data bytes.Buffer
	if _, err := s.Client.DownloadMedia(r.Context(), n.Account(), p.Picture, &data, maxPicture); err != nil {
		return errNotFound.With(err)
	}
	found := mimetype.Detect(data.Bytes())
	if !found.Is("image/jpeg") && !found.Is("image/png") {
		return errNotFound
	}
	w.Header().Set("Content-Type", found.String())
	_, _ = w.Write(data.Bytes())
	return nil
}
