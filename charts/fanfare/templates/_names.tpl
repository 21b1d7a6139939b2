{{- /* Names, labels and the image: what several templates say alike. */ -}}

{{- /* A Service's name has no dots and begins with a letter; a release's may be 2026.1. */ -}}
{{- define "fanfare.fullname" -}}
{{- $name := .Release.Name | replace "." "-" -}}
{{- if not (contains "fanfare" $name) }}{{ $name = printf "%s-fanfare" $name }}{{ end -}}
{{- if regexMatch "^[0-9]" $name }}{{ $name = printf "fanfare-%s" $name }}{{ end -}}
{{- regexReplaceAll "-+$" (default $name .Values.fullnameOverride | trunc 44) "" -}}
{{- end }}

{{- define "fanfare.operator" -}}
{{ include "fanfare.fullname" . }}-operator
{{- end }}

{{- /* What belongs to no namespace. Releases that serve some namespaces may stand side by side under one name. */ -}}
{{- define "fanfare.clusterName" -}}
{{ include "fanfare.fullname" . }}{{ if .Values.watchNamespaces }}-{{ .Release.Namespace }}{{ end }}
{{- end }}

{{- define "fanfare.account" -}}
{{ default (include "fanfare.operator" .) .Values.serviceAccount.name }}
{{- end }}

{{- define "fanfare.selector" -}}
app.kubernetes.io/name: fanfare
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "fanfare.testSelector" -}}
app.kubernetes.io/name: fanfare
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: test
{{- end }}

{{- /* Of a key that is given twice the last one counts: what objects are found by is never replaced. */ -}}
{{- define "fanfare.labels" -}}
{{- include "fanfare.labelsWith" (dict "root" . "labels" dict) }}
{{- end }}

{{- /* The same, and more. */ -}}
{{- define "fanfare.labelsWith" -}}
{{- $labels := dict "app.kubernetes.io/version" .root.Chart.AppVersion }}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") }}
{{- $given := mergeOverwrite (deepCopy (default dict .root.Values.labels)) (default dict .labels) }}
{{- $fixed := include "fanfare.selector" .root | fromYaml }}
{{- $_ := set $fixed "app.kubernetes.io/managed-by" .root.Release.Service }}
{{- toYaml (mergeOverwrite $labels $given $fixed) }}
{{- end }}

{{- define "fanfare.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default .Chart.AppVersion $image.tag }}
{{- end -}}
{{- end }}

{{- /* What every container of this chart may do: nothing. */ -}}
{{- define "fanfare.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* The group is named too: an image's numeric user alone gives group 0. */ -}}
{{- define "fanfare.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}
