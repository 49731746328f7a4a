package rest

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

// Input answers the JSON object that a request's parameters and body are. What
// the request's shape does not know is refused, with a *call.Error: it would be a
// wish that nobody hears.
func (m *Match) Input(query string, body []byte) ([]byte, error) {
	members := map[string]json.RawMessage{}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, invalid("The query string contains a syntax error.")
	}
	if hasBody(m.Method) {
		if members, err = object(body); err != nil {
			return nil, err
		}
		if len(values) > 0 {
			return nil, invalid("%s takes no query parameters.", m.Spec.Name)
		}
	} else if len(body) > 0 {
		return nil, invalid("%s takes no body.", m.Spec.Name)
	}
	for name := range members {
		if err := m.knows(name); err != nil {
			return nil, err
		}
	}
	for name, texts := range values {
		if err := m.knows(name); err != nil {
			return nil, err
		}
		d := m.Request.Members[name]
		if members[name], err = value(name, texts, &d); err != nil {
			return nil, err
		}
	}
	for name, text := range m.Parameters {
		d := m.Request.Members[name]
		members[name] = scalar(text, &d)
	}
	return json.Marshal(members)
}

// knows refuses a member of a body or a query string that the request has not.
// The path's are the path's alone.
func (m *Match) knows(name string) error {
	_, known := m.Request.Members[name]
	_, taken := m.Parameters[name]
	if !known || taken {
		return invalid("%s has no member %s here.", m.Spec.Name, strconv.QuoteToASCII(shorten(name)))
	}
	return nil
}

// object reads a body, which is a JSON object or empty.
func object(body []byte) (map[string]json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return members, nil
	}
	if body[0] != '{' || json.Unmarshal(body, &members) != nil {
		return nil, call.Errorf("MalformedInput", "The body is no JSON object.")
	}
	return members, nil
}

// value writes a parameter of the query string, which may be there several times
// if it is a list.
func value(name string, texts []string, d *shape.Description) (json.RawMessage, error) {
	if d.Type != "list" {
		if len(texts) > 1 {
			return nil, invalid("The query parameter %s is there %d times.", name, len(texts))
		}
		return scalar(texts[0], d), nil
	}
	list := make([]json.RawMessage, 0, len(texts))
	for _, text := range texts {
		list = append(list, scalar(text, d.Member))
	}
	return json.Marshal(list)
}

// scalar writes a text as a value of a type. One that is none becomes a string,
// which the shape refuses in its own words.
func scalar(text string, d *shape.Description) json.RawMessage {
	switch d.Type {
	case "integer":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return json.RawMessage(strconv.FormatInt(n, 10))
		}
	case "timestamp":
		if f, err := strconv.ParseFloat(text, 64); err == nil && json.Valid([]byte(text)) {
			return json.RawMessage(strconv.FormatFloat(f, 'f', -1, 64))
		}
	case "boolean":
		if text == "true" || text == "false" {
			return json.RawMessage(text)
		}
	}
	b, _ := json.Marshal(text) // a string: it cannot fail
	return b
}

func invalid(format string, args ...any) error {
	return call.Errorf("ValidationError", format, args...)
}

// shorten keeps what a message repeats of a client's text small.
func shorten(s string) string { return strings.ToValidUTF8(s[:min(len(s), 64)], "") }
