//go:build !cofre_testclock

package admin

import "net/http"

// routeTests adds nothing: the clock of a release cannot be moved.
func (s *Server) routeTests(*http.ServeMux) {}
