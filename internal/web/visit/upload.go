package visit

import (
	"net/http"
	"strings"

	"blossomtune/internal/catalog"
	"blossomtune/internal/domain"
)

// UploadedApp reads an uploaded FAB or zip into the catalog.
func UploadedApp(r *http.Request, v *Visit, c *catalog.Service) (domain.AppVersion, error) {
	file, head, err := r.FormFile("upload")
	switch {
	case err != nil && strings.Contains(err.Error(), "too large"):
		return domain.AppVersion{}, domain.Errorf(domain.TooLarge, "The app is larger than %d MB, Flower's limit for a FAB.",
			domain.MaxFAB>>20).Fix("Leave data and weights out of the app.").At("upload")
	case err != nil:
		return domain.AppVersion{},
			domain.Errorf(domain.Invalid, "No file was sent.").Fix("Choose a FAB, or a zip of the app's folder.").At("upload")
	}
	defer file.Close()
	return c.Upload(r.Context(), v.Actor(), head.Filename, file)
}
