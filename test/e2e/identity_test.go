package e2e

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/cofre-kms/cofre/test/rig"
)

// administrators are the IAM clients of the first account, one a node.
func administrators(t *testing.T, c *rig.Cluster) (clients []*iam.Client) {
	t.Helper()
	for _, n := range c.Nodes {
		url := n.URL()
		clients = append(clients, iam.New(iam.Options{
			BaseEndpoint: &url, Region: rig.Region, HTTPClient: rig.NewHTTP(t, c.CAFile, c.Journal), Retryer: aws.NopRetryer{},
			Credentials: credentials.NewStaticCredentialsProvider(c.Admin.AccessKeyID, c.Admin.SecretAccessKey, ""),
		}))
	}
	return clients
}

// as are the KMS clients of an identity, one a node.
func as(t *testing.T, c *rig.Cluster, id, secret, token string) (clients []*kms.Client) {
	t.Helper()
	for _, n := range c.Nodes {
		url := n.URL()
		clients = append(clients, kms.New(kms.Options{
			BaseEndpoint: &url, Region: rig.Region, HTTPClient: rig.NewHTTP(t, c.CAFile, c.Journal), Retryer: aws.NopRetryer{},
			Credentials: credentials.NewStaticCredentialsProvider(id, secret, token),
		}))
	}
	return clients
}

func newSTS(t *testing.T, c *rig.Cluster, n *rig.Node, id, secret string) *sts.Client {
	t.Helper()
	url := n.URL()
	return sts.New(sts.Options{
		BaseEndpoint: &url, Region: rig.Region, HTTPClient: rig.NewHTTP(t, c.CAFile, c.Journal), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(id, secret, ""),
	})
}

const allowKMS = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}`

// member is a user with an access key and a policy that is attached.
type member struct{ name, id, secret, policy string }

func newMember(t *testing.T, admin *iam.Client, name string) member {
	t.Helper()
	ctx := t.Context()
	if _, err := admin.CreateUser(ctx, &iam.CreateUserInput{UserName: &name}); err != nil {
		t.Fatal(err)
	}
	key, err := admin.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	made, err := admin.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: &name, PolicyDocument: aws.String(allowKMS)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := admin.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &name, PolicyArn: made.Policy.Arn}); err != nil {
		t.Fatal(err)
	}
	return member{name, *key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, *made.Policy.Arn}
}

// timed makes a change that must succeed, whatever its service.
func timed[Out any](t *testing.T, op func() (*Out, error)) switching {
	t.Helper()
	s := switching{sent: time.Now()}
	if _, err := op(); err != nil {
		t.Fatal(err)
	}
	s.seen = time.Now()
	return s
}

// right is one that a caller has or has not.
type right struct {
	use            func(ctx context.Context, node int) error
	forbid, permit func(round int) switching
	refusal        string
}

// switchOften takes a right away and gives it back, while clients on all nodes
// use it all the time.
func switchOften(t *testing.T, nodes int, r right) {
	ctx, stop := context.WithCancel(t.Context())
	results := make(chan []attempt)
	var using sync.WaitGroup
	for i := range nodes {
		using.Go(func() {
			results <- useUntil(ctx, t, func(ctx context.Context) error { return r.use(ctx, i) }, r.refusal)
		})
	}
	var forbidden, allowed []switching
	for round := range *rounds {
		forbidden = append(forbidden, r.forbid(round))
		for i := range nodes {
			wantCode(t, r.use(t.Context(), i), r.refusal)
		}
		allowed = append(allowed, r.permit(round))
		for i := range nodes {
			if err := r.use(t.Context(), i); err != nil {
				t.Errorf("round %d, on node %d: %v", round, i+1, err)
			}
		}
	}
	stop()
	for range nodes {
		compare(t, <-results, forbidden, allowed)
	}
	using.Wait()
}

// TestIdentitiesActAtOnce: what is taken from an identity is refused on every
// node to whatever is sent after the acknowledgement, and what is given is
// allowed.
func TestIdentitiesActAtOnce(t *testing.T) {
	eachCluster(t, func(t *testing.T, c *rig.Cluster) {
		admins := administrators(t, c)
		m := newMember(t, admins[0], "alice")
		key := newKey(t, c.Clients(t)[0])
		encrypt := func(clients []*kms.Client) func(context.Context, int) error {
			return func(ctx context.Context, node int) error {
				_, err := clients[node].Encrypt(ctx, &kms.EncryptInput{KeyId: &key, Plaintext: c.Secrets.Plaintext(32)})
				return err
			}
		}
		own := encrypt(as(t, c, m.id, m.secret, ""))
		nodes := len(c.Nodes)
		t.Run("DetachUserPolicy", func(t *testing.T) {
			switchOften(t, nodes, right{use: own, refusal: "AccessDeniedException",
				forbid: func(i int) switching {
					return timed(t, func() (*iam.DetachUserPolicyOutput, error) {
						return admins[i%nodes].DetachUserPolicy(t.Context(), &iam.DetachUserPolicyInput{UserName: &m.name, PolicyArn: &m.policy})
					})
				},
				permit: func(i int) switching {
					return timed(t, func() (*iam.AttachUserPolicyOutput, error) {
						return admins[(i+1)%nodes].AttachUserPolicy(t.Context(), &iam.AttachUserPolicyInput{UserName: &m.name, PolicyArn: &m.policy})
					})
				}})
		})
		t.Run("UpdateAccessKey", func(t *testing.T) {
			set := func(i int, status string) switching {
				return timed(t, func() (*iam.UpdateAccessKeyOutput, error) {
					return admins[i%nodes].UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{
						UserName: &m.name, AccessKeyId: &m.id, Status: iamtypes.StatusType(status),
					})
				})
			}
			switchOften(t, nodes, right{use: own, refusal: "UnrecognizedClientException",
				forbid: func(i int) switching { return set(i, "Inactive") }, permit: func(i int) switching { return set(i+1, "Active") }})
		})
		t.Run("UpdateAssumeRolePolicy", func(t *testing.T) { assumeAtOnce(t, c, admins, m) })
		t.Run("DeleteAccessKey", func(t *testing.T) { deleteAtOnce(t, c, admins, m, encrypt) })
	})
}

// trust is a trust policy that trusts a user.
func trust(effect, arn string) *string {
	return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Principal":{"AWS":"` + arn + `"},"Action":"sts:AssumeRole"}]}`)
}

func assumeAtOnce(t *testing.T, c *rig.Cluster, admins []*iam.Client, m member) {
	arn := "arn:aws:iam::" + c.Admin.AccountID + ":user/" + m.name
	role, err := admins[0].CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("App"), AssumeRolePolicyDocument: trust("Allow", arn)})
	if err != nil {
		t.Fatal(err)
	}
	var clients []*sts.Client
	for _, n := range c.Nodes {
		clients = append(clients, newSTS(t, c, n, m.id, m.secret))
	}
	set := func(i int, effect string) switching {
		return timed(t, func() (*iam.UpdateAssumeRolePolicyOutput, error) {
			return admins[i%len(admins)].UpdateAssumeRolePolicy(t.Context(), &iam.UpdateAssumeRolePolicyInput{
				RoleName: aws.String("App"), PolicyDocument: trust(effect, arn),
			})
		})
	}
	switchOften(t, len(clients), right{refusal: "AccessDenied",
		use: func(ctx context.Context, node int) error {
			_, err := clients[node].AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: role.Role.Arn, RoleSessionName: aws.String("s1")})
			return err
		},
		forbid: func(i int) switching { return set(i, "Deny") }, permit: func(i int) switching { return set(i+1, "Allow") }})
}

// deleteAtOnce: an access key that is deleted is unknown everywhere, and so are
// the sessions that were made with it, to clients that never stop.
func deleteAtOnce(t *testing.T, c *rig.Cluster, admins []*iam.Client, m member, encrypt func([]*kms.Client) func(context.Context, int) error) {
	for round := range *rounds / 2 {
		made, err := admins[round%len(admins)].CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &m.name})
		if err != nil {
			t.Fatal(err)
		}
		id, secret := *made.AccessKey.AccessKeyId, *made.AccessKey.SecretAccessKey
		token, err := newSTS(t, c, c.Nodes[(round+1)%len(c.Nodes)], id, secret).GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
		if err != nil {
			t.Fatal(err)
		}
		s := token.Credentials
		uses := []func(context.Context, int) error{
			encrypt(as(t, c, id, secret, "")), encrypt(as(t, c, *s.AccessKeyId, *s.SecretAccessKey, *s.SessionToken)),
		}
		endsAtOnce(t, len(c.Nodes), uses, "UnrecognizedClientException", func() switching {
			return timed(t, func() (*iam.DeleteAccessKeyOutput, error) {
				return admins[(round+2)%len(admins)].DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{UserName: &m.name, AccessKeyId: &id})
			})
		})
	}
}

// endsAtOnce has clients on every node use a right all the time while it is taken
// away for ever: no use that is sent after the acknowledgement succeeds, and none is
// refused before the change was asked for.
func endsAtOnce(t *testing.T, nodes int, uses []func(ctx context.Context, node int) error, refusal string, end func() switching) {
	t.Helper()
	results, started := make(chan []attempt), make(chan struct{}, nodes*len(uses))
	var ended atomic.Bool
	for _, use := range uses {
		for node := range nodes {
			go func() {
				results <- useToEnd(t, &ended, started, refusal, func() error { return use(t.Context(), node) })
			}()
		}
	}
	for range nodes * len(uses) {
		<-started
	}
	when := end()
	ended.Store(true)
	for range nodes * len(uses) {
		for _, a := range <-results {
			switch {
			case a.succeeded && a.sent.After(when.seen):
				t.Errorf("a use succeeded that was sent %v after the acknowledgement", a.sent.Sub(when.seen))
			case !a.succeeded && a.seen.Before(when.sent):
				t.Errorf("a use was refused %v before the change was asked for", when.sent.Sub(a.seen))
			}
		}
	}
}

// useToEnd uses a right until it is refused, and a few times once it has ended.
func useToEnd(t *testing.T, ended *atomic.Bool, started chan<- struct{}, refusal string, use func() error) (all []attempt) {
	const after = 3
	for left := after; left > 0; {
		over := ended.Load()
		a := attempt{sent: time.Now()}
		err := use()
		a.seen, a.succeeded = time.Now(), err == nil
		all = append(all, a)
		if len(all) == 1 {
			started <- struct{}{}
		}
		if err != nil && code(err) != refusal {
			t.Errorf("while it is taken away: %v", err)
			return all
		}
		if over || err != nil {
			left--
		}
	}
	return all
}
