{{- define "parking.name" -}}
{{ default .Chart.Name .Values.nameOverride }}
{{- end }}

{{/*
What is made is called after the release. A pod is called so too, with a number
from 0, and a pod's name is its node's: 1 to 32 of a-z, 0-9 and -.
*/}}
{{- define "parking.fullname" -}}
{{- $name := .Values.fullnameOverride -}}
{{- if not $name -}}
{{- $chart := include "parking.name" . -}}
{{- $name = ternary .Release.Name (printf "%s-%s" .Release.Name $chart) (contains $chart .Release.Name) -}}
{{- end -}}
{{- if gt (len $name) 28 -}}
{{- fail (printf "the name %q is too long: a pod's name is its node's and has at most 32 characters, and -NNN is added; set fullnameOverride to 28 or fewer" $name) -}}
{{- end -}}
{{- if not (regexMatch "^[a-z]([a-z0-9-]*[a-z0-9])?$" $name) -}}
{{- fail (printf "the name %q cannot name nodes and Services: set fullnameOverride to a-z, 0-9 and -, beginning with a letter" $name) -}}
{{- end -}}
{{- $name -}}
{{- end }}

{{- define "parking.headless" -}}
{{ include "parking.fullname" . }}-headless
{{- end }}

{{- define "parking.secret" -}}
{{ default (printf "%s-cookie" (include "parking.fullname" .)) .Values.cookie.existingSecret }}
{{- end }}

{{- define "parking.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "parking.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{- define "parking.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end }}
{{- end -}}
{{- end }}

{{/* Labels by which pods of this release are found: nodes and the one of helm test. */}}
{{- define "parking.release" -}}
app.kubernetes.io/name: {{ include "parking.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The nodes alone. They never change: a StatefulSet's selector cannot. */}}
{{- define "parking.nodes" -}}
{{ include "parking.release" . }}
app.kubernetes.io/component: node
{{- end }}

{{- define "parking.labels" -}}
{{ include "parking.release" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: parking
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
