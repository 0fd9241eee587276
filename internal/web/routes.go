// SPDX-License-Identifier: AGPL-3.0-or-later

package web

import (
	"net/http"

	"github.com/filodiretto/filodiretto/internal/broadcast"
	"github.com/filodiretto/filodiretto/internal/fault"
	"github.com/filodiretto/filodiretto/internal/staff"
)

var (
	errNotFound    = fault.New(fault.NotFound, "error.not_found")
	errForbidden   = fault.New(fault.Forbidden, "error.forbidden")
	errCrossOrigin = fault.New(fault.Forbidden, "desk.failure.cross_origin")
	errSignIn      = fault.New(fault.Unauthenticated, "error.unauthenticated")
)

// routes is every address of the pages, with the right it asks for.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /assets/{name}", s.assets)
	mux.Handle("GET /{$}", s.public(s.home))
	mux.Handle("/", s.townPages())

	outside := func(pattern string, h handler) { mux.Handle(pattern, s.session(s.public(h))) }
	outside("GET /desk/{slug}/sign-in", s.signInPage)
	outside("POST /desk/{slug}/sign-in", s.signIn)
	outside("GET /desk/{slug}/invitation/{token}", s.invitation)
	outside("POST /desk/{slug}/invitation/{token}", s.useInvitation)
	outside("POST /desk/{slug}/sign-out", s.signOut)

	var member membersOnly = func(pattern string, right staff.Right, h deskHandler) {
		mux.Handle(pattern, s.session(s.desk(right, h)))
	}
	s.frameRoutes(member)
	s.conversationRoutes(member)
	s.citizenRoutes(member)
	s.broadcastRoutes(member)
	s.settingsRoutes(member)
	s.numberRoutes(member)
	return mux
}

// membersOnly adds an address of the desk for those of its staff who have the right.
type membersOnly func(pattern string, right staff.Right, h deskHandler)

// frameRoutes are what every page of the desk has, or leads to.
func (s *Server) frameRoutes(member membersOnly) {
	member("GET /desk/{slug}", anyRight, s.front)
	member("GET /desk/{slug}/{$}", anyRight, s.front)
	member("GET /desk/{slug}/preferences", anyRight, s.preferences)
	member("POST /desk/{slug}/preferences", anyRight, s.setPreferences)
	member("GET /desk/{slug}/events", staff.Converse, s.events)
	member("GET /desk/{slug}/banners", anyRight, s.showBanners)
}

// conversationRoutes are the inbox, a thread, and what hangs on a message.
func (s *Server) conversationRoutes(member membersOnly) {
	member("GET /desk/{slug}/inbox", staff.Converse, s.inbox)
	member("GET /desk/{slug}/inbox/list", staff.Converse, s.list)
	member("GET /desk/{slug}/search", staff.Converse, s.search)

	const conversation = "/desk/{slug}/conversations/{id}"
	member("GET "+conversation, staff.Converse, s.conversation)
	member("GET "+conversation+"/live", staff.Converse, s.live)
	member("POST "+conversation+"/messages", staff.Converse, s.send)
	member("PUT "+conversation+"/draft", staff.Converse, s.saveDraft)
	member("POST "+conversation+"/take", staff.Converse, s.take)
	member("POST "+conversation+"/release", staff.Converse, s.release)
	member("POST "+conversation+"/reopen", staff.Converse, s.reopen)
	member("POST "+conversation+"/resolve", staff.Converse, s.resolve)
	member("GET "+conversation+"/hand-over", staff.Converse, s.handOverDialog)
	member("POST "+conversation+"/hand-over", staff.Converse, s.handOver)
	member("GET "+conversation+"/kind", staff.Converse, s.kindDialog)
	member("POST "+conversation+"/kind", staff.Converse, s.setKind)
	member("GET "+conversation+"/templates", staff.Converse, s.templates)
	member("GET "+conversation+"/place", staff.Converse, s.placeDialog)
	member("GET "+conversation+"/offer/{kind}", staff.Converse, s.offerDialog)

	member("POST /desk/{slug}/messages/{id}/resend", staff.Converse, s.resend)
	member("POST /desk/{slug}/messages/{id}/cancel", staff.Converse, s.cancel)
	member("POST /desk/{slug}/messages/{id}/reaction", staff.Converse, s.react)
	member("GET /desk/{slug}/media/{id}", staff.Converse, s.file)
	member("GET /desk/{slug}/media/{id}/thumbnail", staff.Converse, s.thumbnail)
	member("GET /desk/{slug}/media/{id}/shown", staff.Converse, s.shownPicture)
	member("GET /desk/{slug}/media/{id}/sound", staff.Converse, s.sound)
	member("GET /desk/{slug}/media/{id}/description", staff.Converse, s.descriptionDialog)
	member("POST /desk/{slug}/media/{id}/description", staff.Converse, s.describe)
}

// citizenRoutes are about one citizen.
func (s *Server) citizenRoutes(member membersOnly) {
	member("GET /desk/{slug}/citizens/{id}", staff.Converse, s.citizenFile)
	member("POST /desk/{slug}/citizens/{id}", staff.Converse, s.setCitizen)
	member("POST /desk/{slug}/citizens/{id}/lists", staff.Converse, s.setLists)
	member("POST /desk/{slug}/citizens/{id}/block", staff.BlockCitizens, s.block)
	member("POST /desk/{slug}/citizens/{id}/unblock", staff.BlockCitizens, s.unblock)
	member("GET /desk/{slug}/citizens/{id}/consents.csv", staff.Converse, s.consentsFile)

	member("GET /desk/{slug}/settings/blocked", staff.BlockCitizens, s.blockedPage)
	member("POST /desk/{slug}/settings/blocked", staff.BlockCitizens, s.refreshBlocked)
}

// broadcastRoutes are broadcasts, the lists they go to, and the figures of both.
func (s *Server) broadcastRoutes(member membersOnly) {
	member("GET /desk/{slug}/broadcasts", staff.SeeFigures, s.broadcasts)
	member("GET /desk/{slug}/broadcasts/new", staff.ManageBroadcasts, s.newBroadcast)
	member("POST /desk/{slug}/broadcasts/new", staff.ManageBroadcasts, s.createBroadcast)
	member("POST /desk/{slug}/broadcasts/preview", staff.ManageBroadcasts, s.previewBroadcast)

	const one = "/desk/{slug}/broadcasts/{id}"
	member("GET "+one, staff.SeeFigures, s.broadcastPage)
	member("GET "+one+"/live", staff.SeeFigures, s.broadcastLive)
	member("GET "+one+"/edit", staff.ManageBroadcasts, s.editBroadcast)
	member("POST "+one+"/edit", staff.ManageBroadcasts, s.rewriteBroadcast)
	member("GET "+one+"/confirm/{act}", staff.ManageBroadcasts, s.confirmBroadcast)
	member("POST "+one+"/submit", staff.ManageBroadcasts, broadcastAct(s, broadcast.Submit))
	member("POST "+one+"/approve", staff.ApproveBroadcasts, broadcastAct(s, broadcast.Approve))
	member("POST "+one+"/glass", staff.ApproveBroadcasts, s.breakGlass)
	member("POST "+one+"/return", staff.ManageBroadcasts, broadcastAct(s, broadcast.Return))
	member("POST "+one+"/pause", staff.ManageBroadcasts, broadcastAct(s, broadcast.Pause))
	member("POST "+one+"/resume", staff.ManageBroadcasts, broadcastAct(s, broadcast.Resume))
	member("POST "+one+"/cancel", staff.ManageBroadcasts, broadcastAct(s, broadcast.Cancel))
	member("POST "+one+"/resend", staff.ManageBroadcasts, broadcastAct(s, broadcast.ResendUncertain))
	member("GET "+one+"/recipients", staff.ManageBroadcasts, s.recipients)
	member("GET "+one+"/recipients.csv", staff.ManageBroadcasts, s.exportRecipients)

	member("GET /desk/{slug}/lists", staff.ManageBroadcasts, s.listsPage)
	member("GET /desk/{slug}/lists/{keyword}", staff.ManageBroadcasts, s.subscribersPage)
	member("GET /desk/{slug}/lists/{keyword}/subscribers.csv", staff.ManageBroadcasts, s.subscribersFile)
	member("GET /desk/{slug}/lists/{keyword}/code.svg", staff.ManageBroadcasts, s.listCode)
	member("GET /desk/{slug}/figures", staff.SeeFigures, s.figuresPage)
	member("GET /desk/{slug}/figures/{table}", staff.SeeFigures, s.figuresTable)
}

// settingsRoutes are who works here, what comes in, and what was done.
func (s *Server) settingsRoutes(member membersOnly) {
	member("GET /desk/{slug}/settings", anyRight, s.settings)
	member("GET /desk/{slug}/settings/staff", staff.ManageStaff, s.staffPage)
	member("GET /desk/{slug}/settings/staff/new", staff.ManageStaff, s.newMember)
	member("POST /desk/{slug}/settings/staff/new", staff.ManageStaff, s.addMember)

	const colleague = "/desk/{slug}/settings/staff/{id}"
	member("GET "+colleague, staff.ManageStaff, s.member)
	member("POST "+colleague, staff.ManageStaff, s.setMember)
	member("POST "+colleague+"/link", staff.ManageStaff, s.inviteMember)
	member("POST "+colleague+"/disable", staff.ManageStaff, s.memberAct(staff.Disable))
	member("POST "+colleague+"/enable", staff.ManageStaff, s.memberAct(staff.Enable))
	member("POST "+colleague+"/remove", staff.ManageStaff, s.removeMember)

	member("GET /desk/{slug}/settings/tokens", staff.ManageTokens, s.tokensPage)
	member("POST /desk/{slug}/settings/tokens", staff.ManageTokens, s.createToken)
	member("POST /desk/{slug}/settings/tokens/{id}/revoke", staff.ManageTokens, s.revokeToken)
	member("GET /desk/{slug}/settings/quarantine", staff.SeeQuarantine, s.quarantine)
	member("POST /desk/{slug}/settings/quarantine/{id}/replay", staff.ReplayQuarantine, s.replay)
	member("GET /desk/{slug}/settings/log", staff.ManageNumbers, s.newsLog)
	member("GET /desk/{slug}/settings/audit", staff.SeeAudit, s.audit)
}

// numberRoutes are a number at Meta, and the way there.
func (s *Server) numberRoutes(member membersOnly) {
	member("GET /desk/{slug}/settings/numbers", staff.ManageNumbers, s.numbers)

	const number = "/desk/{slug}/settings/numbers/{id}"
	member("GET "+number, staff.ManageNumbers, onNumber(s.numberPage))
	member("POST "+number+"/pin", staff.ManageNumbers, numberForm(s.setPIN))
	member("POST "+number+"/identity", staff.ManageNumbers, numberForm(s.setIdentityCheck))
	member("POST "+number+"/username", staff.ManageNumbers, numberForm(s.setUsername))
	member("GET "+number+"/profile", staff.ManageNumbers, onNumber(s.profilePage))
	member("POST "+number+"/profile", staff.ManageNumbers, numberForm(s.setProfile))
	member("GET "+number+"/picture", staff.ManageNumbers, onNumber(s.picture))
	member("POST "+number+"/picture", staff.ManageNumbers, onNumber(s.setPicture))
	member("GET "+number+"/suggestions", staff.ManageNumbers, onNumber(s.suggestionsPage))
	member("POST "+number+"/suggestions", staff.ManageNumbers, numberForm(s.setSuggestions))
	member("GET "+number+"/links", staff.ManageNumbers, onNumber(s.linksPage))
	member("POST "+number+"/links", staff.ManageNumbers, numberForm(s.setLink))
	member("GET "+number+"/links/{code}/code.svg", staff.ManageNumbers, onNumber(s.linkCode))

	const registration = "/desk/{slug}/settings/registration"
	member("GET "+registration, staff.ManageNumbers, s.registrations)
	member("POST "+registration, staff.ManageNumbers, s.addNumber)
	member("GET "+registration+"/{id}", staff.ManageNumbers, s.registration)
	member("POST "+registration+"/{id}/code", staff.ManageNumbers, s.requestCode)
	member("POST "+registration+"/{id}/verify", staff.ManageNumbers, s.verifyCode)
	member("POST "+registration+"/{id}/register", staff.ManageNumbers, s.register)
	member("POST "+registration+"/{id}/deregister", staff.ManageNumbers, s.deregister)
}

// townPages are the pages that citizens see, below their municipality's name. They have a mux of their own: among the
// desk's addresses, which begin with a fixed word, theirs would be ambiguous.
func (s *Server) townPages() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{slug}/lists/{token}", s.public(s.ownLists))
	mux.Handle("POST /{slug}/lists/{token}", s.public(s.saveOwnLists))
	mux.Handle("/", s.public(func(http.ResponseWriter, *http.Request) error { return errNotFound }))
	return mux
}
