{{- /* The operator's container: all that it is told on its command line. */ -}}

{{- define "fanfare.operatorContainer" -}}
image: {{ include "fanfare.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  {{- include "fanfare.operatorArgs" . | nindent 2 }}
env:
  - name: POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  - name: POD_NAMESPACE
    valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
  {{- with .Values.logLevel }}
  - name: RUST_LOG
    value: {{ . | quote }}
  {{- end }}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - name: admin
    containerPort: {{ .Values.adminPort }}
    protocol: TCP
startupProbe:
  httpGet: {path: /livez, port: admin}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: admin}
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: admin}
  periodSeconds: 2
  timeoutSeconds: 5
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- include "fanfare.containerSecurity" . | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
{{- end }}

{{- define "fanfare.operatorArgs" -}}
{{- include "fanfare.checkNetworks" (dict "name" "egress.allow" "networks" .Values.egress.allow "services" true) -}}
{{- include "fanfare.checkNetworks" (dict "name" "egress.deny" "networks" .Values.egress.deny) -}}
- operator
- --image={{ include "fanfare.image" . }}
{{- range .Values.image.pullSecrets }}
- --pull-secret={{ . }}
{{- end }}
{{- range .Values.watchNamespaces }}
- --watch={{ . }}
{{- end }}
{{- if not .Values.leaderElection }}
- --no-leader-election
{{- end }}
- --listen=[::]:{{ .Values.adminPort }}
- --cluster-domain={{ .Values.clusterDomain }}
- --lease-name={{ include "fanfare.operator" . }}
- --runtime-cpu={{ .Values.runtime.cpu }}
- --runtime-memory={{ .Values.runtime.memory }}
- --runtime-admin-port={{ .Values.runtime.adminPort }}
- --api-server-port={{ join "," .Values.networkPolicy.apiServerPorts }}
- --dns-port={{ join "," .Values.networkPolicy.dnsPorts }}
{{- range .Values.egress.allow }}
- --egress-allow={{ . }}
{{- end }}
{{- range .Values.egress.deny }}
- --egress-deny={{ . }}
{{- end }}
- --same-namespace-egress={{ .Values.egress.sameNamespace }}
{{- with .Values.tracing }}
{{- if .endpoint }}
- --trace-endpoint={{ .endpoint }}
- --trace-sampler={{ .sampler }}
- --trace-sampler-arg={{ .samplerArgument }}
- --trace-service-name={{ .serviceName }}
{{- end }}
{{- end }}
{{- end }}

{{- /* A wrong one would end the operator; here it says so before anything is changed. */ -}}
{{- define "fanfare.checkNetworks" -}}
{{- range .networks }}
{{- $isService := and $.services (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?/[a-z]([-a-z0-9]*[a-z0-9])?$" .) }}
{{- if not (or $isService (regexMatch "^([0-9]{1,3}(\\.[0-9]{1,3}){3}/([0-9]|[12][0-9]|3[0-2])|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*/[0-9]{1,3})$" .)) }}
{{- $or := ternary ", or a Service as namespace/service" "" (default false $.services) }}
{{- fail (printf "%s: %q is not a network; write it as 10.20.0.0/16 or fd00:20::/64%s" $.name . $or) }}
{{- end }}
{{- end }}
{{- end }}
