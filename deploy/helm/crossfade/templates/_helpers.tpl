{{- define "crossfade.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "crossfade.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "crossfade.labels" -}}
{{ include "crossfade.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: proxy
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "crossfade.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "crossfade.name" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "crossfade.collections" -}}
{{- default (printf "%s-collections" (include "crossfade.name" .)) .Values.existingCollections -}}
{{- end -}}

{{- /* What cannot work is refused when it is rendered, each with a sentence. */ -}}
{{- define "crossfade.refuse" -}}
{{- if not .Values.secrets.existingSecret -}}
{{- fail "secrets.existingSecret must name a Secret with MongoDB's URI and the page token key" -}}
{{- end -}}
{{- if and (not .Values.collections) (not .Values.existingCollections) -}}
{{- fail "collections must declare the collections, or existingCollections name a ConfigMap that does" -}}
{{- end -}}
{{- if and (not .Values.insecure) (not (and .Values.tls.existingSecret .Values.access.existingSecret)) -}}
{{- fail "without tls.existingSecret and access.existingSecret the proxy asks nobody who they are: set both, or insecure: true" -}}
{{- end -}}
{{- if and .Values.access.existingSecret (not (or .Values.access.staticTokensKey .Values.tls.clientCaKey (hasKey .Values.extraEnvironment "CROSSFADE_JWKS"))) -}}
{{- fail "access.existingSecret lets nobody in without access.staticTokensKey, tls.clientCaKey or extraEnvironment.CROSSFADE_JWKS" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (lt (int .Values.autoscaling.minReplicas) 2) -}}
{{- fail "autoscaling.minReplicas must be 2 or more: the death of the last replica stops every service" -}}
{{- end -}}
{{- end -}}

{{- /* Seconds that a pod is given to end: what it goes on serving, what it finishes, and a rest. */ -}}
{{- define "crossfade.termination" -}}
{{- add (int .Values.drainDelaySeconds) (int .Values.graceSeconds) 15 -}}
{{- end -}}

{{- define "crossfade.probe" -}}
{{- if .Values.tls.existingSecret -}}
tcpSocket: {port: grpc} # the kubelet's probes of gRPC know no TLS
{{- else -}}
grpc: {port: 50051}
{{- end -}}
{{- end -}}
