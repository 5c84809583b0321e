package domain

// statuses are the HTTP statuses of the codes, on pages and in the API.
var statuses = map[Code]int{Invalid: 422, NotFound: 404, Conflict: 409, Forbidden: 403, Unauthenticated: 401, Expired: 410, Limited: 429,
	TooLarge: 413, Unavailable: 503, Internal: 500}

// Status returns the HTTP status of a code; 500 for one that is not known.
func (c Code) Status() int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return 500
}

// CodeOfStatus returns the code of an HTTP status. A 4xx status without a code of its own is [Invalid], any other one [Unavailable].
func CodeOfStatus(status int) Code {
	for code, s := range statuses {
		if s == status && code != Internal {
			return code
		}
	}
	if status/100 == 4 {
		return Invalid
	}
	return Unavailable
}
