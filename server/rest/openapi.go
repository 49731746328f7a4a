package rest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/shape"
)

// DescriptionPath is where the description of the API is.
const DescriptionPath = "/v1/openapi.json"

// WithDescription adds the route that answers an OpenAPI 3.1 document of all
// routes, itself included. Whoever authenticates may read it. It is made of the
// routes' shapes and of the types of their answers, so it says what is served.
func WithDescription(title, version string, routes []Route) []Route {
	answer := &Raw{ContentType: "application/json"}
	all := append(routes[:len(routes):len(routes)], Bind[any](Spec{
		Name: "DescribeAPI", ReadOnly: true, Method: http.MethodGet, Path: DescriptionPath,
		Summary: "This document", Media: []string{answer.ContentType},
	}, shape.Of[struct{}](), func(context.Context, *fsm.Txn, *call.Call, *struct{}) (any, error) { return answer, nil }))
	answer.Body = document(title, version, all)
	return all
}

// member is a JSON object of the document.
type member = map[string]any

func document(title, version string, routes []Route) []byte {
	d := &describer{schemas: member{}, types: map[string]reflect.Type{}}
	paths := member{}
	d.schema(reflect.TypeFor[Failure]())
	for _, r := range routes {
		path := strings.ReplaceAll(r.Path, "...}", "}")
		item, ok := paths[path].(member)
		if !ok {
			item = member{}
			paths[path] = item
		}
		item[strings.ToLower(r.Method)] = d.operation(&r)
	}
	b, err := json.MarshalIndent(member{
		"openapi": "3.1.0",
		"info": member{"title": title, "version": version, "license": member{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "Requests are signed with AWS Signature Version 4, service name cofre."},
		"servers":  []any{member{"url": "/"}},
		"security": []any{member{"sigv4": []any{}}},
		"paths":    paths,
		"components": member{
			"schemas":         d.schemas,
			"securitySchemes": member{"sigv4": member{"type": "apiKey", "in": "header", "name": "Authorization", "description": "AWS4-HMAC-SHA256"}},
			"responses": member{"Failure": member{
				"description": "Why there is no answer", "content": content("application/json", reference("Failure")),
			}},
		},
	}, "", " ")
	if err != nil {
		panic(err) // maps of strings, numbers and lists
	}
	return append(b, '\n')
}

// describer gathers the schemas of what routes answer.
type describer struct {
	schemas member                  // by name
	types   map[string]reflect.Type // that have the names
}

func (d *describer) operation(r *Route) member {
	op := member{
		"operationId": r.Spec.Name, "summary": r.Summary, "x-cofre-action": "cofre:" + r.Spec.Name, "x-cofre-read-only": r.Spec.ReadOnly,
		"responses": member{"200": d.answer(r), "default": member{"$ref": "#/components/responses/Failure"}},
	}
	var parameters []any
	path := map[string]bool{}
	for _, s := range parse(r.Path) {
		if s.kind != literal {
			path[s.text] = true
			d := r.Request.Members[s.text]
			parameters = append(parameters, member{"name": s.text, "in": "path", "required": true, "schema": request(&d)})
		}
	}
	rest := shape.Description{Type: "structure", Members: map[string]shape.Description{}}
	for name, m := range r.Request.Members {
		if !path[name] {
			rest.Members[name] = m
		}
	}
	for _, name := range r.Request.Required {
		if !path[name] {
			rest.Required = append(rest.Required, name)
		}
	}
	if hasBody(r.Method) && len(rest.Members) > 0 {
		op["requestBody"] = member{"required": len(rest.Required) > 0, "content": content("application/json", request(&rest))}
	} else if !hasBody(r.Method) {
		parameters = append(parameters, inQuery(&rest)...)
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	return op
}

func inQuery(d *shape.Description) (parameters []any) {
	for _, name := range slices.Sorted(maps.Keys(d.Members)) {
		m := d.Members[name]
		parameters = append(parameters, member{"name": name, "in": "query", "required": slices.Contains(d.Required, name), "schema": request(&m)})
	}
	return parameters
}

func (d *describer) answer(r *Route) member {
	body := member{}
	for _, media := range r.Media {
		schema := member{}
		if !strings.HasSuffix(media, "json") {
			schema = member{"type": "string"}
		}
		body[media] = member{"schema": schema}
	}
	if len(r.Media) == 0 {
		body = content("application/json", d.schema(r.Response))
	}
	return member{"description": r.Summary, "content": body}
}

func content(media string, schema any) member { return member{media: member{"schema": schema}} }

func reference(name string) member { return member{"$ref": "#/components/schemas/" + name} }

// request is the schema of a request's shape.
func request(d *shape.Description) member {
	switch d.Type {
	case "structure":
		members := member{}
		for name, m := range d.Members {
			members[name] = request(&m)
		}
		s := member{"type": "object", "properties": members}
		if len(d.Required) > 0 {
			s["required"] = d.Required
		}
		return s
	case "list":
		return bounds(member{"type": "array", "items": request(d.Member)}, "Items", d)
	case "map":
		return member{"type": "object", "additionalProperties": request(d.Value)}
	case "integer":
		return bounds(member{"type": "integer"}, "imum", d)
	case "timestamp":
		return member{"type": "number", "description": "seconds since 1970-01-01T00:00:00Z"}
	case "boolean":
		return member{"type": "boolean"}
	case "blob":
		return member{"type": "string", "contentEncoding": "base64"}
	}
	s := bounds(member{"type": "string"}, "Length", d)
	if d.Pattern != "" {
		s["pattern"] = "^(?:" + d.Pattern + ")$"
	}
	if len(d.Enum) > 0 {
		s["enum"] = d.Enum
	}
	return s
}

// bounds adds minLength and maxLength and the like.
func bounds(s member, of string, d *shape.Description) member {
	if d.Min != 0 {
		s["min"+of] = d.Min
	}
	if d.Max != 0 {
		s["max"+of] = d.Max
	}
	return s
}

// schema is the schema of a Go type as encoding/json writes it. Structures with a
// name are written once.
func (d *describer) schema(t reflect.Type) member {
	if t.Kind() == reflect.Pointer {
		return d.schema(t.Elem())
	}
	if t.PkgPath() == "time" && t.Name() == "Time" {
		return member{"type": "string", "format": "date-time"}
	}
	if implements[json.Marshaler](t) || implements[interface{ MarshalText() ([]byte, error) }](t) {
		return member{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return member{"type": "boolean"}
	case reflect.String:
		return member{"type": "string"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return member{"type": "integer"}
	case reflect.Float32, reflect.Float64:
		return member{"type": "number"}
	case reflect.Slice, reflect.Array:
		return member{"type": []any{"array", "null"}, "items": d.schema(t.Elem())}
	case reflect.Map:
		return member{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Struct:
		return d.structure(t)
	case reflect.Interface:
		return member{}
	}
	panic(fmt.Sprintf("rest: answers have no %s", t))
}

func implements[I any](t reflect.Type) bool {
	return t.Kind() != reflect.Interface && (t.Implements(reflect.TypeFor[I]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[I]()))
}

func (d *describer) structure(t reflect.Type) member {
	name := d.name(t)
	if d.types[name] == t {
		return reference(name)
	}
	s := member{"type": "object"}
	if name != "" {
		d.schemas[name], d.types[name] = s, t // before its members, which may name it
	}
	members, required := member{}, []string{}
	d.members(t, members, &required)
	s["properties"] = members
	if len(required) > 0 {
		s["required"] = required
	}
	if name == "" {
		return s
	}
	return reference(name)
}

// name is what a type's schema is called: with its package, where another type has
// its name. A structure without a name is written where it is.
func (d *describer) name(t reflect.Type) string {
	name := t.Name()
	if taken := d.types[name]; taken == nil || taken == t {
		return name
	}
	folder := t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]
	return strings.ToUpper(folder[:1]) + folder[1:] + name
}

// members adds the members of a structure, those of embedded ones included.
func (d *describer) members(t reflect.Type, members member, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			d.members(f.Type, members, required)
			continue
		case !f.IsExported() || name == "-":
			continue
		case name == "":
			name = f.Name
		}
		members[name] = d.schema(f.Type)
		if !strings.Contains(options, "omit") {
			*required = append(*required, name)
		}
	}
}
