{{/* Rules of a role without their reasons; $SECRET and $NAME in names stand for what this release calls them: (list $ rules). */}}
{{- define "mizzen.rules" -}}
{{- $root := index . 0 -}}
{{- range index . 1 }}
- apiGroups: {{ toJson .apiGroups }}
  resources: {{ toJson .resources }}
  {{- with .resourceNames }}
  resourceNames:
    {{- range . }}
    - {{ . | replace "$SECRET" (include "mizzen.secret" $root) | replace "$NAME" (include "mizzen.name" $root) }}
    {{- end }}
  {{- end }}
  verbs: {{ toJson .verbs }}
{{- end }}
{{- end }}
