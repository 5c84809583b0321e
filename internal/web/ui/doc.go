// Package ui is how pages look: the components, the frame around a page, formats of numbers and times, tones of states, addresses of
// pages. It knows no server and no rules, only the nouns of the domain. A component that only one area uses belongs to that area.
package ui
