{{- /* The operator's container: all that it is told on its command line. */ -}}

{{- define "fanfare.operatorContainer" -}}
image: {{ include "fanfare.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy | quote }}
args:
  {{- include "fanfare.operatorArgs" . | nindent 2 }}
env:
  - name: POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  - name: POD_NAMESPACE
    valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
  - name: POD_UID
    valueFrom: {fieldRef: {fieldPath: metadata.uid}}
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
- {{ printf "--image=%v" (include "fanfare.image" .) | quote }}
{{- range .Values.image.pullSecrets }}
- {{ printf "--pull-secret=%v" . | quote }}
{{- end }}
{{- range .Values.watchNamespaces }}
- {{ printf "--watch=%v" . | quote }}
{{- end }}
{{- if not .Values.leaderElection }}
- --no-leader-election
{{- end }}
- {{ printf "--listen=[::]:%v" .Values.adminPort | quote }}
- {{ printf "--cluster-domain=%v" .Values.clusterDomain | quote }}
- {{ printf "--lease-name=%v" (include "fanfare.operator" .) | quote }}
- {{ printf "--runtime-cpu=%v" .Values.runtime.cpu | quote }}
- {{ printf "--runtime-memory=%v" .Values.runtime.memory | quote }}
- {{ printf "--runtime-admin-port=%v" .Values.runtime.adminPort | quote }}
- {{ printf "--api-server-port=%s" (join "," .Values.networkPolicy.apiServerPorts) | quote }}
- {{ printf "--dns-port=%s" (join "," .Values.networkPolicy.dnsPorts) | quote }}
{{- range .Values.egress.allow }}
- {{ printf "--egress-allow=%v" . | quote }}
{{- end }}
{{- range .Values.egress.deny }}
- {{ printf "--egress-deny=%v" . | quote }}
{{- end }}
- {{ printf "--same-namespace-egress=%v" .Values.egress.sameNamespace | quote }}
{{- with .Values.tracing }}
{{- if .endpoint }}
- {{ printf "--trace-endpoint=%v" .endpoint | quote }}
- {{ printf "--trace-sampler=%v" .sampler | quote }}
- {{ printf "--trace-sampler-arg=%v" .samplerArgument | quote }}
- {{ printf "--trace-service-name=%v" .serviceName | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- /* A wrong one would end the operator; here it says so before anything is changed. */ -}}
{{- define "fanfare.checkNetworks" -}}
{{- $octet := "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])" }}
{{- $four := printf "%s(\\.%s){3}/(3[0-2]|[12]?[0-9])" $octet $octet }}
{{- $group := "[0-9a-fA-F]{1,4}" }}
{{- $forms := list (printf "(%s:){7}%s" $group $group) (printf "(%s:){1,7}:" $group) (printf ":(:%s){1,7}" $group) "::" }}
{{- range $before := untilStep 1 7 1 }}
{{- $forms = append $forms (printf "(%s:){%d}(:%s){1,%d}" $group $before $group (sub 7 $before)) }}
{{- end }}
{{- $six := printf "(%s)/(12[0-8]|1[01][0-9]|[1-9]?[0-9])" (join "|" $forms) }}
{{- $label := "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?" }}
{{- range .networks }}
{{- $isService := and $.services (regexMatch (printf "^%s/[a-z]([-a-z0-9]{0,61}[a-z0-9])?$" $label) .) }}
{{- if not (or $isService (regexMatch (printf "^(%s|%s)$" $four $six) .)) }}
{{- $or := ternary ", or a Service as namespace/service" "" (default false $.services) }}
{{- fail (printf "%s: %q is not a network; write it as 10.20.0.0/16 or fd00:20::/64%s" $.name . $or) }}
{{- end }}
{{- end }}
{{- end }}
