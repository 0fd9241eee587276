// SPDX-License-Identifier: AGPL-3.0-or-later

package page

// The icons, by the ids of bootstrap-italia; the asset build puts exactly those named here in the sprite.
const (
	iconInbox     = "it-inbox"
	iconSettings  = "it-settings"
	iconSearch    = "it-search"
	iconUser      = "it-user"
	iconClip      = "it-clip"
	iconBack      = "it-arrow-left"
	iconDown      = "it-arrow-down"
	iconMore      = "it-more-items"
	iconClose     = "it-close"
	iconExpand    = "it-expand"
	iconCheck     = "it-check"
	iconClock     = "it-clock"
	iconPin       = "it-map-marker"
	iconFile      = "it-file"
	iconPDF       = "it-file-pdf"
	iconSheet     = "it-file-sheet"
	iconWord      = "it-file-docx"
	iconAudio     = "it-file-audio"
	iconZip       = "it-file-compressed"
	iconImage     = "it-file-image"
	iconVideo     = "it-video"
	iconPlay      = "it-arrow-right-triangle"
	iconCard      = "it-card"
	iconList      = "it-list"
	iconWarning   = "it-warning-circle"
	iconError     = "it-error"
	iconInfo      = "it-info-circle"
	iconRefresh   = "it-refresh"
	iconLogout    = "it-logout"
	iconNote      = "it-pencil"
	iconTemplate  = "it-files"
	iconReply     = "it-restore"
	iconHelp      = "it-help-circle"
	iconComment   = "it-comment"
	iconTelephone = "it-telephone"
	iconLink      = "it-external-link"
	iconLocked    = "it-locked"
	iconPA        = "it-pa"
	iconDownload  = "it-download"
	iconHorn      = "it-horn"
	iconSend      = "it-arrow-up"
	iconChart     = "it-chart-line"
	iconPlus      = "it-plus"
)

// typeIcon is the sign beside a preview or a file of this type.
func typeIcon(k Type) string {
	switch k {
	case Image, Sticker:
		return iconImage
	case Video:
		return iconVideo
	case Audio, Voice:
		return iconAudio
	case Document:
		return iconFile
	case Location:
		return iconPin
	case Contacts:
		return iconCard
	case ButtonReply, ListReply, Form, Order:
		return iconList
	case Template:
		return iconTemplate
	default:
		return ""
	}
}

func fileIcon(format string) string {
	switch format {
	case "PDF":
		return iconPDF
	case "DOC", "DOCX", "ODT", "RTF":
		return iconWord
	case "XLS", "XLSX", "ODS", "CSV":
		return iconSheet
	case "ZIP", "7Z", "RAR":
		return iconZip
	default:
		return iconFile
	}
}
