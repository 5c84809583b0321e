package api

import "blossomtune/internal/domain"

// describeCauses makes the codes of a run's cause an enum in the description.
func (a *api) describeCauses() {
	code := a.huma.OpenAPI().Components.Schemas.SchemaFromRef("#/components/schemas/Cause").Properties["code"]
	code.Description = "Why the run ended. A number is Flower's exit code; left out where the run completed"
	for _, c := range domain.CauseCodes() {
		code.Enum = append(code.Enum, string(c))
	}
}
