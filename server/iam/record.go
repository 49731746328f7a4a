package iam

// parameters are what records say of the requests of this service. What is not
// here cannot be recorded.
type parameters struct {
	UserName                 string        `json:"userName,omitempty"`
	NewUserName              string        `json:"newUserName,omitempty"`
	GroupName                string        `json:"groupName,omitempty"`
	NewGroupName             string        `json:"newGroupName,omitempty"`
	RoleName                 string        `json:"roleName,omitempty"`
	Path                     string        `json:"path,omitempty"`
	NewPath                  string        `json:"newPath,omitempty"`
	PathPrefix               string        `json:"pathPrefix,omitempty"`
	PolicyName               string        `json:"policyName,omitempty"`
	PolicyARN                string        `json:"policyArn,omitempty"`
	PolicySourceARN          string        `json:"policySourceArn,omitempty"`
	ActionNames              []string      `json:"actionNames,omitempty"`
	ResourceARNs             []string      `json:"resourceArns,omitempty"`
	PolicyDocument           string        `json:"policyDocument,omitempty"`
	AssumeRolePolicyDocument string        `json:"assumeRolePolicyDocument,omitempty"`
	PermissionsBoundary      string        `json:"permissionsBoundary,omitempty"`
	Description              string        `json:"description,omitempty"`
	VersionID                string        `json:"versionId,omitempty"`
	SetAsDefault             bool          `json:"setAsDefault,omitempty"`
	MaxSessionDuration       int           `json:"maxSessionDuration,omitempty"`
	AccessKeyID              string        `json:"accessKeyId,omitempty"`
	Status                   string        `json:"status,omitempty"`
	Scope                    string        `json:"scope,omitempty"`
	Filter                   []string      `json:"filter,omitempty"`
	OnlyAttached             bool          `json:"onlyAttached,omitempty"`
	Tags                     []recordedTag `json:"tags,omitempty"`
	TagKeys                  []string      `json:"tagKeys,omitempty"`
	ProviderARN              string        `json:"openIDConnectProviderArn,omitempty"`
	URL                      string        `json:"url,omitempty"`
	ClientID                 string        `json:"clientID,omitempty"`
	ClientIDs                []string      `json:"clientIDList,omitempty"`
	Thumbprints              []string      `json:"thumbprintList,omitempty"`
	Marker                   string        `json:"marker,omitempty"`
	MaxItems                 int           `json:"maxItems,omitempty"`
}

type recordedTag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// The responseElements of what makes something.
type (
	userElements struct {
		User recordedEntity `json:"user"`
	}
	groupElements struct {
		Group recordedEntity `json:"group"`
	}
	roleElements struct {
		Role recordedEntity `json:"role"`
	}
	policyElements struct {
		Policy recordedEntity `json:"policy"`
	}
	accessKeyElements struct {
		AccessKey recordedEntity `json:"accessKey"`
	}
	versionElements struct {
		Version recordedVersion `json:"policyVersion"`
	}
	providerElements struct {
		ARN string `json:"openIDConnectProviderArn"`
	}
)

// recordedEntity is what was made. A secret access key has no member here.
type recordedEntity struct {
	Path        string `json:"path,omitempty"`
	UserName    string `json:"userName,omitempty"`
	UserID      string `json:"userId,omitempty"`
	GroupName   string `json:"groupName,omitempty"`
	GroupID     string `json:"groupId,omitempty"`
	RoleName    string `json:"roleName,omitempty"`
	RoleID      string `json:"roleId,omitempty"`
	PolicyName  string `json:"policyName,omitempty"`
	PolicyID    string `json:"policyId,omitempty"`
	ARN         string `json:"arn,omitempty"`
	AccessKeyID string `json:"accessKeyId,omitempty"`
	Status      string `json:"status,omitempty"`
	CreateDate  string `json:"createDate"`
}

// recordedVersion is a version of a policy that was made.
type recordedVersion struct {
	VersionID  string `json:"versionId"`
	IsDefault  bool   `json:"isDefaultVersion"`
	CreateDate string `json:"createDate"`
}
