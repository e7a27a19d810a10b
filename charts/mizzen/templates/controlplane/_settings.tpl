{{/* Secrets that the container has as files, as a list of JSON: volume, variable, secret, key, path. */}}
{{- define "mizzen.secretFiles" -}}
{{- $own := .Values.controlplane }}
{{- $found := list }}
{{- range list
  (list "files-key" "MIZZEN_FILES_KEY_FILE" ($own.files).keySecret "files-key")
  (list "sealing-key" "MIZZEN_SEALING_KEY_FILE" ($own.sealing).keySecret "sealing-key")
  (list "audit-key" "MIZZEN_AUDIT_KEY_FILE" ($own.audit).keySecret "audit-key")
  (list "audit-sink-token" "MIZZEN_AUDIT_SINK_TOKEN_FILE" ($own.audit).sinkTokenSecret "audit-sink-token")
  (list "smtp" "MIZZEN_SMTP_PASSWORD_FILE" ($own.smtp).passwordSecret "password")
}}
{{- $secret := index . 2 | default dict }}
{{- if $secret.name }}
{{- $found = append $found (dict "volume" (index . 0) "variable" (index . 1) "secret" $secret.name "key" ($secret.key | default (index . 3)) "path" (index . 3)) }}
{{- end }}
{{- end }}
{{- toJson $found }}
{{- end }}

{{/* What goes together: said before anything is installed. */}}
{{- define "mizzen.controlplaneRefusals" -}}
{{- $smtp := .Values.controlplane.smtp | default dict }}
{{- $audit := .Values.controlplane.audit | default dict }}
{{- if and $audit.sink $audit.sinkClaim }}
{{- fail "controlplane.audit.sink and controlplane.audit.sinkClaim are both set: name one, and empty the other." }}
{{- end }}
{{- if ne (empty $smtp.host) (empty $smtp.from) }}
{{- fail "controlplane.smtp.host and controlplane.smtp.from go together: a server, and the address that e-mail comes from." }}
{{- end }}
{{- if ne (empty $smtp.user) (empty ($smtp.passwordSecret).name) }}
{{- fail "controlplane.smtp.user and controlplane.smtp.passwordSecret.name go together: set both, or neither." }}
{{- end }}
{{- end }}

{{/* Variables of audit, egress, imports, e-mail and callers, where they are not what the program takes by itself. */}}
{{- define "mizzen.controlplaneTexts" -}}
{{- $own := .Values.controlplane }}
{{- $smtp := $own.smtp | default dict }}
{{- $audit := $own.audit | default dict }}
{{- range list
  (list "MIZZEN_TRUSTED_PROXIES" ($own.trustedProxies | default list | join ","))
  (list "MIZZEN_AUDIT_SINK" (empty $audit.sinkClaim | ternary ($audit.sink | default "") "file:///var/lib/mizzen-anchors"))
  (list "MIZZEN_EGRESS_TRUSTED" (($own.egress).trusted | default list | join ","))
  (list "MIZZEN_EGRESS_ONLY" (($own.egress).only | default list | join ","))
  (list "MIZZEN_EGRESS_RESOLVER" ($own.egress).resolver)
  (list "MIZZEN_HUB_URL" ($own.imports).hubUrl)
  (list "MIZZEN_SMTP_HOST" $smtp.host)
  (list "MIZZEN_SMTP_FROM" $smtp.from)
  (list "MIZZEN_SMTP_SECURITY" (empty $smtp.host | ternary "" ($smtp.security | default "starttls")))
  (list "MIZZEN_SMTP_USER" $smtp.user)
}}
{{- if index . 1 }}
- {name: {{ index . 0 }}, value: {{ index . 1 | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{/* Ports besides those of the API server, the database and the store of models that settings need a way to, as JSON. */}}
{{- define "mizzen.outgoingPorts" -}}
{{- $own := .Values.controlplane }}
{{- $ports := list }}
{{- with ($own.audit).sink }}
{{- $ports = append $ports (regexFind ":[0-9]+$" (urlParse .).host | trimPrefix ":" | default "443" | int) }}
{{- end }}
{{- range ($own.egress).trusted | default list }}
{{- with regexFind "(^[^:]+|\\]):[0-9]+$" . }}
{{- $ports = append $ports (regexFind "[0-9]+$" . | int) }}
{{- end }}
{{- end }}
{{- with $own.smtp | default dict }}
{{- if .host }}
{{- $usual := get (dict "starttls" 587 "tls" 465 "none" 25) (.security | default "starttls") }}
{{- $ports = append $ports (int (.port | default $usual)) }}
{{- end }}
{{- end }}
{{- toJson (uniq $ports) }}
{{- end }}
