{{/* Bytes of a Kubernetes quantity, rounded down. */}}
{{- define "mizzen.bytes" -}}
{{- $number := regexFind "^[0-9.]+" . }}
{{- $units := dict "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "P" 1000000000000000 }}
{{- mulf (float64 $number) (float64 (get $units (trimPrefix $number .) | default 1)) | floor | int64 }}
{{- end }}

{{/* Bytes of usage from which on nothing new is admitted: at most four fifths of the volume, since the kubelet evicts a pod whose
     volume is over its size, and what was not shipped goes with it. */}}
{{- define "mizzen.spoolMaxBytes" -}}
{{- $most := mulf (include "mizzen.bytes" .size | float64) 0.8 | floor | int64 }}
{{- if lt $most 16777216 }}
{{- fail (printf "gateway.spool.size is %s, at least 20Mi are needed: set it to that or more." .size) }}
{{- else if gt (int64 .maxBytes) $most }}
{{- fail (printf "gateway.spool.maxBytes is %d, but at most %d (80 %% of gateway.spool.size, %s) may be used before the gateway closes: set it to that or less, to 0 for exactly that, or gateway.spool.size to more." (int64 .maxBytes) $most .size) }}
{{- end }}
{{- int64 .maxBytes | default $most }}
{{- end }}
