{{- /* Names, labels and the image: what several templates say alike. */ -}}

{{- define "fanfare.fullname" -}}
{{- $name := .Release.Name -}}
{{- if not (contains "fanfare" $name) }}{{ $name = printf "%s-fanfare" $name }}{{ end -}}
{{- default $name .Values.fullnameOverride | trunc 44 | trimSuffix "-" -}}
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
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "fanfare.labels" -}}
{{ include "fanfare.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
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
