{{- define "blossomtune.name" -}}
{{- printf "%s" .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "blossomtune.selector" -}}
app.kubernetes.io/name: blossomtune
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "blossomtune.labels" -}}
{{ include "blossomtune.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}
