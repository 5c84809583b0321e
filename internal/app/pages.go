package app

import "net/http"

func (a *App) pages() (http.Handler, error) { return http.NotFoundHandler(), nil }
