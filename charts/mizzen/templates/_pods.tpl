{{/* What the pods of all three programs have in common: Pod Security "restricted", a read-only root, no links to Services. */}}
{{- define "mizzen.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "mizzen.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Fields of a pod's spec that values set: (list $ "operator"). */}}
{{- define "mizzen.podCommon" -}}
{{- $root := index . 0 -}}
{{- $own := index $root.Values (index . 1) -}}
serviceAccountName: {{ printf "%s-%s" (include "mizzen.name" $root) (index . 1) | quote }}
automountServiceAccountToken: true
enableServiceLinks: false
securityContext:
  {{- include "mizzen.podSecurity" $root | nindent 2 }}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with $own.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $own.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with $own.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with $own.affinity }}
affinity: {{ toJson . }}
{{- end }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "mizzen.selector" . | nindent 8 }}
{{- end }}

{{/* metadata of a pod template: (list $ "operator"). */}}
{{- define "mizzen.podMetadata" -}}
{{- $own := index (index . 0).Values (index . 1) -}}
labels:
  {{- include "mizzen.labels" . | nindent 2 }}
  {{- with $own.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $own.podAnnotations }}
annotations: {{ toJson . }}
{{- end }}
{{- end }}

{{/* Image, its pull policy and the security of a container: (list $ "operator"). */}}
{{- define "mizzen.containerCommon" -}}
image: {{ include "mizzen.image" . | quote }}
imagePullPolicy: {{ (index . 0).Values.image.pullPolicy }}
securityContext:
  {{- include "mizzen.containerSecurity" (index . 0) | nindent 2 }}
{{- end }}

{{/* A volume with the token that says who this pod is to another program: (list name audience). */}}
{{- define "mizzen.tokenVolume" -}}
name: {{ index . 0 }}
projected:
  defaultMode: 0440
  sources:
    - serviceAccountToken: {audience: {{ index . 1 }}, expirationSeconds: 3600, path: token}
{{- end }}

{{/* What callers of a program need where it speaks TLS: whom they trust for it, and never its key: (list $ "operator"). */}}
{{- define "mizzen.authority" -}}
{{- $tls := (index (index . 0).Values (index . 1)).tls -}}
name: {{ index . 1 }}-ca
secret:
  secretName: {{ $tls.caSecretName | default $tls.secretName | quote }}
  defaultMode: 0440
  items: [{key: ca.crt, path: ca.crt}]
{{- end }}

{{/* Port of the server in the URL of a store of limits. */}}
{{- define "mizzen.limitsStorePort" -}}
{{- $named := regexFind ":[0-9]+$" (urlParse .).host -}}
{{- if $named -}}
{{- trimPrefix ":" $named -}}
{{- else -}}
{{- ternary "5432" "6379" (hasPrefix "postgres" .) -}}
{{- end -}}
{{- end }}

{{/* Port of the collector in the URL that spans go to. */}}
{{- define "mizzen.tracesPort" -}}
{{- $named := regexFind ":[0-9]+$" (urlParse .).host -}}
{{- if $named -}}
{{- trimPrefix ":" $named -}}
{{- else -}}
{{- ternary "443" "80" (hasPrefix "https:" .) -}}
{{- end -}}
{{- end }}

{{/* A variable of a container where a number is not what the program takes by itself: (list NAME value default). */}}
{{- define "mizzen.numberVariable" -}}
{{- $value := index . 1 }}
{{- if not (kindIs "invalid" $value) }}
{{- $number := float64 $value }}
{{- if ne $number (float64 (index . 2)) }}
- {name: {{ index . 0 }}, value: {{ eq $number (floor $number) | ternary (int64 $value | toString) (toString $value) | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{/* Where a certificate's authority comes from, or nothing: (list "gateway.traces.ca" value). */}}
{{- define "mizzen.authoritySource" -}}
{{- $ca := index . 1 | default dict }}
{{- if and $ca.configMap $ca.secret }}
{{- fail (printf "%s.configMap and %s.secret are both set: name one, and empty the other." (index . 0) (index . 0)) }}
{{- end }}
{{- $item := dict "key" ($ca.key | default "ca.crt") "path" "ca.crt" }}
{{- if $ca.configMap }}
configMap: {name: {{ $ca.configMap | quote }}, defaultMode: 0440, items: [{{ toJson $item }}]}
{{- else if $ca.secret }}
secret: {secretName: {{ $ca.secret | quote }}, defaultMode: 0440, items: [{{ toJson $item }}]}
{{- end }}
{{- end }}

{{/* URL of the store of limits, with the authority of its certificate. */}}
{{- define "mizzen.limitsStoreUrl" -}}
{{- $store := .Values.gateway.limits.store }}
{{- $option := ternary "sslrootcert" "ca" (hasPrefix "postgres" $store) }}
{{- $store }}
{{- if include "mizzen.authoritySource" (list "gateway.limits.ca" .Values.gateway.limits.ca) }}
{{- ternary "&" "?" (contains "?" $store) }}{{ $option }}=/run/mizzen/limits-ca/ca.crt
{{- end }}
{{- end }}
