{{/* What things are called. */}}
{{- define "mizzen.name" -}}
{{- if contains "mizzen" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-mizzen" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "mizzen.secret" -}}
{{ .Values.secrets.existingSecret | default (printf "%s-secrets" (include "mizzen.name" .)) }}
{{- end }}

{{- define "mizzen.image" -}}
{{- $root := index . 0 -}}
{{ dig "overrides" (index . 1) "" $root.Values.image | default (printf "%s/%s:%s" ($root.Values.image.registry | trimSuffix "/") (index . 1) ($root.Values.image.tag | default $root.Chart.AppVersion)) }}
{{- end }}

{{/* Labels of every object: (list $ "operator"); an empty component for what belongs to none. */}}
{{- define "mizzen.labels" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
app.kubernetes.io/name: {{ if $component }}mizzen-{{ $component }}{{ else }}mizzen{{ end }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
app.kubernetes.io/part-of: mizzen
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | quote }}
{{- end }}

{{/* Labels that select the pods of a program; engine pods' NetworkPolicies name the first of them. */}}
{{- define "mizzen.selector" -}}
app.kubernetes.io/name: mizzen-{{ index . 1 }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
{{- end }}

{{/* metadata of an object: (list $ "operator" "name-of-it"). */}}
{{- define "mizzen.metadata" -}}
name: {{ index . 2 | quote }}
namespace: {{ (index . 0).Release.Namespace | quote }}
labels:
  {{- include "mizzen.labels" . | nindent 2 }}
{{- end }}

{{/* metadata of an object without a namespace. */}}
{{- define "mizzen.clusterMetadata" -}}
name: {{ index . 2 | quote }}
labels:
  {{- include "mizzen.labels" . | nindent 2 }}
{{- end }}

{{- define "mizzen.controlplaneUrl" -}}
http{{ if (.Values.controlplane.tls).secretName }}s{{ end }}://{{ include "mizzen.name" . }}-controlplane.{{ .Release.Namespace }}.svc:{{ .Values.controlplane.service.port }}
{{- end }}

{{- define "mizzen.operatorUrl" -}}
http{{ if (.Values.operator.tls).secretName }}s{{ end }}://{{ include "mizzen.name" . }}-operator.{{ .Release.Namespace }}.svc:8482
{{- end }}

{{/* Where callers reach the gateway. */}}
{{- define "mizzen.gatewayUrl" -}}
{{- $gateway := .Values.gateway -}}
{{- if .Values.controlplane.gatewayUrl }}{{ .Values.controlplane.gatewayUrl }}
{{- else if $gateway.ingress.enabled }}http{{ if $gateway.ingress.tlsSecretName }}s{{ end }}://{{ $gateway.ingress.host }}
{{- else -}}
http{{ if $gateway.tls.secretName }}s{{ end }}://{{ include "mizzen.name" . }}-gateway.{{ .Release.Namespace }}.svc:{{ $gateway.service.port }}
{{- end }}
{{- end }}

{{/* A mapping of labels as name=value,name=value. */}}
{{- define "mizzen.labelList" -}}
{{- $pairs := list }}
{{- range $key, $value := . }}{{ $pairs = append $pairs (printf "%s=%s" $key $value) }}{{ end }}
{{- join "," $pairs }}
{{- end }}

{{/* Labels of Prometheus' pods. */}}
{{- define "mizzen.prometheus" -}}
{{ .Values.monitoring.podLabels | default (dict "app.kubernetes.io/name" "prometheus") | toYaml }}
{{- end }}
