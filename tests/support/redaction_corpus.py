# SPDX-License-Identifier: Apache-2.0
r"""Two corpora for the search for secrets: error lines as programs print them, and lines that hold a secret.

An error line that is searched has nothing to hide; what is blotted out of it is a cause that is lost. Of a line with a
secret, what stands between ``<<`` and ``>>`` must go. Both have hard ones: the rates are measured, not made.
"""

from __future__ import annotations

import re
from typing import Final

ERRORS: Final = r"""
FATAL: env DB_PASSWORD: not set
invalid token: expected 'x'
ERROR 1045 (28000): Access denied for user 'root'@'localhost' (using password: YES)
ERROR 1045 (28000): Access denied for user 'app'@'10.0.0.7' (using password: NO)
error: open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file or directory
open /var/run/secrets/kubernetes.io/serviceaccount/token: permission denied
cannot read /run/secrets/db_password: is a directory
cat: /etc/app/secret: No such file or directory
fatal: could not read Password: No such device or address
psql: error: FATAL: password authentication failed for user "app"
failed to refresh token: oauth2: cannot fetch token: 401 Unauthorized
failed to refresh token: oauth2: "invalid_grant" "Token has been expired or revoked."
could not get token: Get "https://login.example.com/oauth": dial tcp: lookup login.example.com: no such host
could not get token: Post "https://sts.example.com/": context deadline exceeded
error fetching token: 403 Forbidden
error fetching secret: rpc error: code = NotFound desc = no such key
couldn't get secret: secrets "db" not found
creating secret: Operation cannot be fulfilled
error getting credentials: exec: "docker-credential-desktop": executable file not found in $PATH
error getting credentials - err: exit status 1, out: ``
google: could not find default credentials: see https://cloud.google.com/docs/authentication
NoCredentialProviders: no valid providers in chain
failed to parse private-key: asn1: structure error: tags don't match
failed to load private_key: PEM block type must be RSA PRIVATE KEY
private_key: illegal base64 data at input byte 12
tls: failed to find any PEM data in key input
SSL_CTX_use_PrivateKey_file("/etc/nginx/tls.key") failed
api_key: field required
api_key: Field required [type=missing, input_value={}, input_type=dict]
password: ensure this value has at least 8 characters
password: String should have at least 12 characters
password: This field is required.
password: must not be blank
password: cannot be empty
password: may not be null
password: can't be blank
password: is too short (minimum is 8 characters)
password: too weak
password: invalid
password: required
password: missing
password: undefined
token: unexpected end of JSON input
token: unknown authority
token: signature is invalid
token: Signature has expired
token: malformed
token: expired
token: contains an invalid number of segments
token: has invalid claims: token is expired
access_token: None
access_token: null
refresh_token: nil
access_token = None
secret_key=None
token=undefined
password=null
{"level":"error","password":null,"msg":"config is incomplete"}
{"token": null, "error": "unauthorized"}
{"password":true,"user":false}
authorization: header is missing
Authorization: missing
authorization: permission denied
Authorization: not provided
cookie: not found
cookie: named cookie not present
http: named cookie not present
x-api-key: required
KeyError: 'DB_PASSWORD'
django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.
Error: Missing required environment variable: SESSION_SECRET
Error: secretOrPrivateKey must have a value
Error: JWT_SECRET: missing
Error: env var AUTH_TOKEN: is not defined
config error: api-key: unknown field
yaml: line 3: found character that cannot start any token
yaml: line 3: did not find expected ',' or ']', token: unexpected
SyntaxError: Unexpected token } in JSON at position 17
SyntaxError: Unexpected token: punc (;)
SyntaxError: Unexpected token: eof (undefined)
parse error: unexpected token: '}', expected ']'
expected token: ')', got ';'
syntax error, unexpected token "}", expecting end of file
couldn't unmarshal token: json: cannot unmarshal number into Go struct field
invalid credentials: user not found
invalid credentials: wrong user name or password
authentication error: credentials: unable to locate credentials
Unable to locate credentials. You can configure credentials by running "aws configure".
NOAUTH Authentication required.
WRONGPASS invalid username-password pair or user is disabled.
ERR AUTH <password> called without any password configured for the default user.
vault: error: permission denied (token: not renewable)
vault token: lookup failed: connection refused
csrf token: mismatch
CSRF token: incorrect length
invalid api_key: rate limit exceeded
sshd: Failed password for root from 10.0.0.9 port 4242 ssh2
sudo: a password is required
gpg: signing failed: No secret key
error: bad decrypt, passphrase: wrong or missing
keystore password: incorrect
java.io.IOException: keystore password was incorrect
org.apache.kafka: SASL password: unsupported mechanism PLAIN
redis: AUTH password: connection reset by peer
pull access denied, repository does not exist or may require 'docker login': denied: requested access
imagePullSecrets: default-token: not found
secret "registry" of type kubernetes.io/dockerconfigjson: forbidden
MountVolume.SetUp failed for volume "secret": secret "db-tls" not found
x509: certificate signed by unknown authority (private key: not checked)
password policy: at least one digit is required
smtp: password: got 535 5.7.8 Error: authentication failed
""".strip().splitlines()

HELD_OUT: Final = r"""
Error: cannot find credentials: open /root/.docker/config.json: no such file or directory
Error saving credentials: error storing credentials - err: exit status 1
fatal: unable to get credential storage lock in 1000 ms: Permission denied
git: 'credential-manager' is not a git command. See 'git --help'.
warning: credential.helper: unset
remote: HTTP Basic: Access denied. The provided password or token is incorrect
ssh: unable to authenticate, attempted methods [none password], no supported methods remain
ssh: this private key is passphrase protected
Load key "/root/.ssh/id_rsa": error in libcrypto
Permissions 0644 for '/root/.ssh/id_rsa' are too open.
npm ERR! code E401 Unable to authenticate, your authentication token seems to be invalid.
npm ERR! Incorrect or missing password.
Error: Invalid login: 535-5.7.8 Username and Password not accepted.
ValueError: Fernet key must be 32 url-safe base64-encoded bytes.
botocore.exceptions.NoCredentialsError: Unable to locate credentials
botocore.exceptions.ClientError: An error occurred (UnrecognizedClientException): The security token is invalid
google.auth.exceptions.DefaultCredentialsError: Your default credentials were not found.
azure.identity: DefaultAzureCredential failed to retrieve a token from the included credentials
Error: authorization failed: token: Invalid issuer
{"code":401,"message":"access_token: missing required parameter"}
{"errors":{"password":["is too short","must contain a number"]}}
FATAL:  no pg_hba.conf entry for host "10.0.0.7", user "app", database "app", no encryption
FATAL:  password is required for user "app"
DETAIL:  User "app" does not have a valid SCRAM secret.
django.db.utils.OperationalError: fe_sendauth: no password supplied
pymongo.errors.OperationFailure: Authentication failed., full error: {'ok': 0.0, 'code': 18}
rabbitmq: PLAIN login refused: user 'guest' can only connect via localhost
Cluster initialization secret: contents of /etc/secret are unreadable
vault: failed to renew token: lease expired
Error making API request. Code: 403. Errors: * permission denied
error validating token: jose: failed to verify signature
error validating token: Token used before issued
Failed to create pod sandbox: couldn't find key password in Secret default/db
Error: couldn't find key DB_PASSWORD in Secret default/db
CreateContainerConfigError: secret "db" not found
level=error msg="loading secret: decoding failed: illegal base64 data at input byte 4"
level=error msg="private_key: parsing failed"
nginx: [emerg] cannot load certificate key "/etc/tls.key": BIO_new_file() failed
nginx: [emerg] "auth_basic_user_file" directive is duplicate
curl: (67) Access denied: 530
smtplib.SMTPAuthenticationError: (535, b'5.7.8 Authentication credentials invalid')
panic: JWT_SECRET: environment variable is empty
thread 'main' panicked: called `Result::unwrap()` on an `Err` value: API_KEY: NotPresent
Error: config: api_token: at least 20 characters are needed
Error: config: session_secret: length 12, want 32
WARN no encryption passphrase: backups are stored in clear
ERROR passphrase: does not match
ERROR secret: key "password" does not exist in "db"
ERROR token: audience "a" is not allowed
ERROR token: nbf claim lies in the future
""".strip().splitlines()
"""Written after the words that are no secrets were chosen, and not looked at for that."""

_SECRETS: Final = r"""
password=<<hunter2>>
PASSWORD=<<hunter2>>
DB_PASSWORD=<<correcthorse>>
export PGPASSWORD=<<S3cr3t!>>
MYSQL_ROOT_PASSWORD: <<examplepass>>
  password: <<swordfish>>
  password: <<Tr0ub4dor>>
password: "<<correct>> horse battery staple"
password: '<<it>>'
db.password = <<q1w2e3>>
spring.datasource.password=<<changeit>>
password:<<abc>>
passwd: <<letmein>>
passphrase: <<opensesame>>
client_secret=<<8f14e45fceea167a5a36dedd4bea2543>>&grant_type=client_credentials
client_secret: <<8f14e45fceea167a5a36dedd4bea2543>>
"client_secret":"<<GOCSPX-abc>>"
{"password":"<<p>>","user":"joe"}
{"api_key": "<<abcdef>>", "n": 1}
{"token":"<<notatoken>>"}
{"token": "<<expected>>"}
{"secret": "<<none>>"}
api_key: <<0123456789abcdef>>
api-key=<<0123456789abcdef>>
apikey: <<0123456789abcdef>>
token: <<abc123>>
token: <<notary99>>
token: <<is5ue-77>>
token=<<t0k3n>>
invalid token: <<a1b2c3d4e5>>
refresh_token=<<1//0gabc>>
access_token: <<EAACEdEose0cBA>>
id_token=<<abc.def.ghi>>
login failed, password: <<Winter2024!>>
generated root password: <<Zu8ieYah>>
A temporary password is generated for root@localhost, password: <<x#kL9aTq>>
secret: <<s>>
secret: <<Permission1>>
secret: <<error404x>>
password: <<nobody>>
password: <<missing1>>
password: <<yesterday>>
password: <<invalidate>>
password: <<trustno1>>
password = <<null0>>
password=<<true1>>
password=<<no>>
password: <<403forbidden>>
aws_secret_access_key = <<wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY>>
AWS_SECRET_ACCESS_KEY=<<wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY>>
AWS_ACCESS_KEY_ID=<<AKIAIOSFODNN7EXAMPLE>>
using key <<AKIAIOSFODNN7EXAMPLE>> in us-east-1
private_key=<<MIIEvQ>>
-----BEGIN RSA PRIVATE KEY-----<<\nMIIEowIBAAKCAQEA>>
-----BEGIN PRIVATE KEY-----<<\nMIIEvQIBADANBg>>
Authorization: <<Bearer abc.def>>
Authorization: <<Basic dXNlcjpwYXNz>>
authorization: <<token 0123456789>>
Proxy-Authorization: <<Basic dXNlcjpwYXNz>>
Cookie: <<session=17; theme=dark>>
Set-Cookie: <<id=17; Path=/>>
X-Auth-Token: <<zzz>>
X-API-Key: <<abc123>>
X-Vault-Token: <<s.abcdefgh>>
postgres://joe:<<s3cret>>@db/x
could not connect to amqp://guest:<<guest>>@mq:5672
dial redis://:<<hunter2>>@cache:6379: connection refused
https://oauth2:<<glpat-abcdefghij>>@gitlab.example.com/x.git
remote: https://<<ghp_16C7e42F292c6912E7710c838347Ae178B4a>>@github.com/o/r
<<github_pat_11ABCDEFG0abcdef_xyz>>
<<xoxb-123456789012-abcdefghijkl>>
jwt <<eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln>> rejected
root:$6$<<salt$hashhash>>:19000:0
htpasswd: joe:$2y$<<05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC>>
credential: <<abcd>>
credentials: <<user:pass>>
smtp password: <<Expected-7>>
connecting as joe, password: <<swordfish>> for db
password: <<letmein>> is weak
password: <<sunshine>>, host: db
login: joe password: <<swordfish>> port: 22
password: <<dragon>> (in the file)
secret: <<monkey>> token: <<shadow>>
your new password: <<princess>> - change it
password: <<correct horse battery staple>>
password: <<wrong horse battery>>
password: <<Invalid! pass>>
""".strip().splitlines()

_MARK: Final = re.compile(r"<<(.*?)>>", re.DOTALL)


def secrets() -> list[tuple[bytes, bytes]]:
    """Each line with a secret, and the same with asterisks in its place."""
    marked = [line.replace(r"\n", "\n") for line in _SECRETS]
    return [
        (_MARK.sub(r"\1", line).encode(), _MARK.sub(lambda match: "*" * len(match[1]), line).encode())
        for line in marked
    ]
