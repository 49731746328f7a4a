package identity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cofre-kms/cofre/fsm"
	"github.com/cofre-kms/cofre/hsm"
	"github.com/cofre-kms/cofre/server/call"
	"github.com/cofre-kms/cofre/server/managed"
	"github.com/cofre-kms/cofre/server/state"
)

// HSM is what the package asks of the node's partition.
type HSM interface {
	hsm.Keys
	// Random fills b from the partition's random number generator.
	Random(ctx context.Context, b []byte) error
}

// Config configures a Service.
type Config struct {
	HSM HSM
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Service makes and reads identities. It is safe for concurrent use.
type Service struct {
	hsm HSM
	now func() time.Time
}

// New makes the service.
func New(cfg Config) *Service {
	s := &Service{hsm: cfg.HSM, now: cfg.Now}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// Credentials are a new user's, with the secret that is shown once.
type Credentials struct {
	AccountID   string
	AccountName string
	UserName    string
	UserARN     string
	AccessKeyID string
	Secret      Secret
}

// administrator is the user that a new account begins with.
const administrator = "admin"

// ErrInitialized is returned by Genesis where the cluster has a system record.
var ErrInitialized = errors.New("identity: the cluster is initialized already")

var errNotInitialized = errors.New("identity: the cluster has no system record")

// Genesis writes the cluster's system record and the operator account with its
// administrator.
func (s *Service) Genesis(ctx context.Context, tx *fsm.Txn, generation hsm.Generation, accountName string) (*Credentials, error) {
	if old, err := state.Systems.Get(tx, state.SystemID); err != nil || old != nil {
		return nil, errors.Join(err, ErrInitialized)
	}
	sealing, err := s.hsm.GenerateKey(ctx, generation, hsm.SymmetricDefault)
	if err != nil {
		return nil, fmt.Errorf("making the key that seals secrets: %w", err)
	}
	draw := &ids{hsm: s.hsm}
	system := &state.System{
		ClusterID: draw.uuid(ctx), Generation: generation, SecretsKey: sealing, Created: s.now().UnixMilli(),
		Operator: draw.account(ctx),
	}
	if draw.err != nil {
		return nil, draw.err
	}
	if err := state.Systems.Put(tx, system, state.SystemID); err != nil {
		return nil, err
	}
	return s.createAccount(ctx, tx, system, &state.Account{ID: system.Operator, Name: accountName, Operator: true})
}

// CreateAccount writes an account with its administrator. The name is any text
// of 1 to 50 printable ASCII characters, as AWS Organizations has it.
func (s *Service) CreateAccount(ctx context.Context, tx *fsm.Txn, name string) (*Credentials, error) {
	if !validName(name) {
		return nil, call.Errorf("ValidationException", "An account's name has 1 to 50 printable ASCII characters.")
	}
	system, err := state.Systems.Get(tx, state.SystemID)
	if err != nil {
		return nil, err
	}
	if system == nil {
		return nil, errNotInitialized
	}
	draw := &ids{hsm: s.hsm}
	id := draw.account(ctx)
	if draw.err != nil {
		return nil, draw.err
	}
	return s.createAccount(ctx, tx, system, &state.Account{ID: id, Name: name})
}

// CreateAdministrator writes another user of an account who may do everything in
// it, with an access key: for an account that has lost its credentials.
func (s *Service) CreateAdministrator(ctx context.Context, tx *fsm.Txn, accountID, userName string) (*Credentials, error) {
	account, err := state.Accounts.Get(tx, accountID)
	if err != nil {
		return nil, err
	}
	if account == nil {
		return nil, &call.Error{Code: "NotFound", Status: http.StatusNotFound, Message: "There is no account " + accountID + "."}
	}
	if old, err := state.Users.Get(tx, accountID, strings.ToLower(userName)); err != nil {
		return nil, err
	} else if old != nil {
		return nil, &call.Error{Code: "EntityAlreadyExists", Status: http.StatusConflict, Message: "User with name " + userName + " already exists."}
	}
	system, err := state.Systems.Get(tx, state.SystemID)
	if err != nil {
		return nil, err
	}
	if system == nil {
		return nil, errNotInitialized
	}
	return s.createUser(ctx, tx, system, account, userName)
}

func validName(name string) bool {
	return len(name) >= 1 && len(name) <= 50 && strings.Trim(name, " ") == name &&
		strings.IndexFunc(name, func(c rune) bool { return c < ' ' || c > '~' }) < 0
}

func (s *Service) createAccount(ctx context.Context, tx *fsm.Txn, system *state.System, account *state.Account) (*Credentials, error) {
	account.Created = s.now().UnixMilli()
	if old, err := state.Accounts.Get(tx, account.ID); err != nil {
		return nil, err
	} else if old != nil { // one in 9×10¹¹, for every account there is
		return nil, fmt.Errorf("identity: account %s was drawn twice", account.ID)
	}
	if err := state.Accounts.Put(tx, account, account.ID); err != nil {
		return nil, err
	}
	return s.createUser(ctx, tx, system, account, administrator)
}

// createUser writes an administrator and an access key for it.
func (s *Service) createUser(ctx context.Context, tx *fsm.Txn, system *state.System, account *state.Account, name string) (*Credentials, error) {
	id, err := s.NewID(ctx, "AIDA")
	if err != nil {
		return nil, err
	}
	user := &state.User{AccountID: account.ID, Name: name, Path: "/", ID: id, Created: s.now().UnixMilli()}
	key, secret, err := s.newAccessKey(ctx, system, user)
	if err != nil {
		return nil, err
	}
	if err := store(tx, user, key); err != nil {
		return nil, err
	}
	return &Credentials{
		AccountID: account.ID, AccountName: account.Name, UserName: user.Name, UserARN: user.ARN(),
		AccessKeyID: key.ID, Secret: secret,
	}, nil
}

// NewID draws a unique id that begins with a prefix, "AIDA".
func (s *Service) NewID(ctx context.Context, prefix string) (string, error) {
	draw := &ids{hsm: s.hsm}
	id := draw.unique(ctx, prefix)
	return id, draw.err
}

// NewAccessKey makes an active access key of a user, and answers its secret,
// which is sealed in the record. It writes nothing.
func (s *Service) NewAccessKey(ctx context.Context, tx *fsm.Txn, user *state.User) (*state.AccessKey, Secret, error) {
	system, _, err := state.Systems.Peek(tx.View(), state.SystemID)
	if err != nil {
		return nil, Secret{}, err
	}
	if system == nil {
		return nil, Secret{}, errNotInitialized
	}
	return s.newAccessKey(ctx, system, user)
}

func (s *Service) newAccessKey(ctx context.Context, system *state.System, user *state.User) (*state.AccessKey, Secret, error) {
	draw := &ids{hsm: s.hsm}
	key := &state.AccessKey{
		ID: draw.accessKey(ctx), AccountID: user.AccountID, UserName: user.Name, UserID: user.ID, Active: true, Created: s.now().UnixMilli(),
	}
	secret := draw.secret(ctx)
	if draw.err != nil {
		return nil, Secret{}, draw.err
	}
	var err error
	if key.Secret, err = s.hsm.Encrypt(ctx, system.SecretsKey, secret.Reveal(), []byte(key.ID)); err != nil {
		return nil, Secret{}, fmt.Errorf("sealing the secret of %s: %w", key.ID, err)
	}
	return key, secret, nil
}

// store writes an account's administrator, who may do everything, and its
// directory, which is new or has changed.
func store(tx *fsm.Txn, user *state.User, key *state.AccessKey) error {
	account, name := user.AccountID, strings.ToLower(user.Name)
	return errors.Join(
		state.Directories.Put(tx, &state.Directory{}, account),
		state.Users.Put(tx, user, account, name),
		state.Identities.Put(tx, &state.Identity{AccountID: account, Kind: state.UserKind, Name: name}, user.ID),
		state.AccessKeys.Put(tx, key, key.ID),
		state.UserAccessKeys.Put(tx, &state.UserAccessKey{}, account, user.ID, key.ID),
		state.Attachments.Put(tx, &state.Attachment{ARN: managed.AdministratorAccess}, account, user.ID, managed.AdministratorAccess),
		state.AttachedTo.Put(tx, &state.Attached{}, account, managed.AdministratorAccess, user.ID),
	)
}
