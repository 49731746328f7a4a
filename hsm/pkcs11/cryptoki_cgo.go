//go:build cgo && unix

package pkcs11

/*
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	p11 "github.com/miekg/pkcs11"

	"github.com/cofre-kms/cofre/hsm"
)

// library is a module loaded through miekg/pkcs11, except for the encryption of
// messages.
type library struct {
	ctx *p11.Ctx
	messages
}

// load loads the module at path.
func load(path string) (cryptoki, error) {
	ctx := p11.New(path)
	if ctx == nil {
		return nil, fmt.Errorf("loading PKCS#11 module %s: it is no shared library with C_GetFunctionList: %w", path, hsm.ErrUnavailable)
	}
	m, err := loadMessages(path)
	if err != nil {
		return nil, err
	}
	return &library{ctx: ctx, messages: m}, nil
}

// wrapError gives an error of miekg/pkcs11 the function's name.
func wrapError(function string, err error) error {
	var rv p11.Error
	if errors.As(err, &rv) {
		return failure(function, uint(rv))
	}
	return err
}

func (l *library) Initialize() error { return wrapError("C_Initialize", l.ctx.Initialize()) }

func (l *library) Finalize() error { return wrapError("C_Finalize", l.ctx.Finalize()) }

func (l *library) Slots() ([]uint, error) {
	slots, err := l.ctx.GetSlotList(true)
	return slots, wrapError("C_GetSlotList", err)
}

func (l *library) TokenInfo(slot uint) (tokenInfo, error) {
	t, err := l.ctx.GetTokenInfo(slot)
	trim := func(s string) string { return strings.TrimRight(s, " \x00") }
	info := tokenInfo{
		label: trim(t.Label), manufacturer: trim(t.ManufacturerID),
		model: trim(t.Model), serial: trim(t.SerialNumber),
		locked: t.Flags&p11.CKF_USER_PIN_LOCKED != 0, lastTry: t.Flags&p11.CKF_USER_PIN_FINAL_TRY != 0,
	}
	// CK_UNAVAILABLE_INFORMATION is ^0, CK_EFFECTIVELY_INFINITE is 0 (§9.2).
	if t.MaxRwSessionCount != ^uint(0) {
		info.maxSessions = t.MaxRwSessionCount
	}
	return info, wrapError("C_GetTokenInfo", err)
}

func (l *library) Mechanisms(slot uint) ([]uint, error) {
	list, err := l.ctx.GetMechanismList(slot)
	var out []uint
	for _, m := range list {
		out = append(out, m.Mechanism)
	}
	return out, wrapError("C_GetMechanismList", err)
}

func (l *library) OpenSession(slot uint) (sessionHandle, error) {
	s, err := l.ctx.OpenSession(slot, p11.CKF_SERIAL_SESSION|p11.CKF_RW_SESSION)
	return sessionHandle(s), wrapError("C_OpenSession", err)
}

func (l *library) CloseSession(s sessionHandle) error {
	return wrapError("C_CloseSession", l.ctx.CloseSession(p11.SessionHandle(s)))
}

func (l *library) SessionInfo(s sessionHandle) (slot uint, loggedIn bool, err error) {
	info, err := l.ctx.GetSessionInfo(p11.SessionHandle(s))
	return info.SlotID, info.State == p11.CKS_RW_USER_FUNCTIONS, wrapError("C_GetSessionInfo", err)
}

func (l *library) Login(s sessionHandle, pin string) error {
	return wrapError("C_Login", l.ctx.Login(p11.SessionHandle(s), p11.CKU_USER, pin))
}

func (l *library) Random(s sessionHandle, n int) ([]byte, error) {
	b, err := l.ctx.GenerateRandom(p11.SessionHandle(s), n)
	return b, wrapError("C_GenerateRandom", err)
}

func (l *library) Find(s sessionHandle, template []attribute) ([]objectHandle, error) {
	const batch = 100
	session := p11.SessionHandle(s)
	if err := l.ctx.FindObjectsInit(session, convert(template)); err != nil {
		return nil, wrapError("C_FindObjectsInit", err)
	}
	var out []objectHandle
	for {
		found, _, err := l.ctx.FindObjects(session, batch)
		if err != nil {
			_ = l.ctx.FindObjectsFinal(session) // the first error is the one to tell
			return nil, wrapError("C_FindObjects", err)
		}
		for _, o := range found {
			out = append(out, objectHandle(o))
		}
		if len(found) == 0 {
			return out, wrapError("C_FindObjectsFinal", l.ctx.FindObjectsFinal(session))
		}
	}
}

func (l *library) Attribute(s sessionHandle, o objectHandle, kind uint) ([]byte, error) {
	a, err := l.ctx.GetAttributeValue(p11.SessionHandle(s), p11.ObjectHandle(o), []*p11.Attribute{p11.NewAttribute(kind, nil)})
	if errors.Is(err, p11.Error(p11.CKR_ATTRIBUTE_TYPE_INVALID)) || errors.Is(err, p11.Error(p11.CKR_ATTRIBUTE_SENSITIVE)) {
		return nil, nil
	}
	if err != nil {
		return nil, wrapError("C_GetAttributeValue", err)
	}
	return a[0].Value, nil
}

func (l *library) Destroy(s sessionHandle, o objectHandle) error {
	return wrapError("C_DestroyObject", l.ctx.DestroyObject(p11.SessionHandle(s), p11.ObjectHandle(o)))
}

func (l *library) GenerateKey(s sessionHandle, mechanism uint, template []attribute) (objectHandle, error) {
	o, err := l.ctx.GenerateKey(p11.SessionHandle(s), bare(mechanism), convert(template))
	return objectHandle(o), wrapError("C_GenerateKey", err)
}

func (l *library) GenerateKeyPair(s sessionHandle, mechanism uint, public, private []attribute) (pub, priv objectHandle, err error) {
	a, b, err := l.ctx.GenerateKeyPair(p11.SessionHandle(s), bare(mechanism), convert(public), convert(private))
	return objectHandle(a), objectHandle(b), wrapError("C_GenerateKeyPair", err)
}

func (l *library) Wrap(s sessionHandle, m mechanism, kek, key objectHandle) ([]byte, error) {
	b, err := l.ctx.WrapKey(p11.SessionHandle(s), wrapping(m), p11.ObjectHandle(kek), p11.ObjectHandle(key))
	return b, wrapError("C_WrapKey", err)
}

func (l *library) Unwrap(s sessionHandle, m mechanism, kek objectHandle, wrapped []byte, template []attribute) (objectHandle, error) {
	o, err := l.ctx.UnwrapKey(p11.SessionHandle(s), wrapping(m), p11.ObjectHandle(kek), wrapped, convert(template))
	return objectHandle(o), wrapError("C_UnwrapKey", err)
}

func (l *library) Derive(s sessionHandle, base objectHandle, data []byte, template []attribute) (objectHandle, error) {
	// miekg/pkcs11 does not know CK_KEY_DERIVATION_STRING_DATA (§2.34.1), which
	// holds a pointer: it goes in as bytes, pointing to C memory.
	var parameter struct {
		data   unsafe.Pointer
		length C.ulong
	}
	parameter.data, parameter.length = C.CBytes(data), C.ulong(len(data))
	defer C.free(parameter.data)
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&parameter)), unsafe.Sizeof(parameter))
	mechanism := []*p11.Mechanism{p11.NewMechanism(p11.CKM_AES_ECB_ENCRYPT_DATA, raw)}
	o, err := l.ctx.DeriveKey(p11.SessionHandle(s), mechanism, p11.ObjectHandle(base), convert(template))
	return objectHandle(o), wrapError("C_DeriveKey", err)
}

func (l *library) DeriveECDH(s sessionHandle, base objectHandle, point []byte, template []attribute) (objectHandle, error) {
	parameters := p11.NewECDH1DeriveParams(p11.CKD_NULL, nil, point)
	mechanism := []*p11.Mechanism{p11.NewMechanism(p11.CKM_ECDH1_DERIVE, parameters)}
	o, err := l.ctx.DeriveKey(p11.SessionHandle(s), mechanism, p11.ObjectHandle(base), convert(template))
	return objectHandle(o), wrapError("C_DeriveKey", err)
}

// bare is a mechanism without parameters.
func bare(number uint) []*p11.Mechanism { return []*p11.Mechanism{p11.NewMechanism(number, nil)} }

// wrapping is a mechanism that wraps keys: OAEP, or one without parameters.
func wrapping(m mechanism) []*p11.Mechanism {
	if m.number != p11.CKM_RSA_PKCS_OAEP {
		return bare(m.number)
	}
	parameters := p11.NewOAEPParams(m.hash, maskOf(m.hash), p11.CKZ_DATA_SPECIFIED, nil)
	return []*p11.Mechanism{p11.NewMechanism(m.number, parameters)}
}

func convert(template []attribute) []*p11.Attribute {
	out := make([]*p11.Attribute, len(template))
	for i, a := range template {
		out[i] = p11.NewAttribute(a.kind, a.value)
	}
	return out
}
