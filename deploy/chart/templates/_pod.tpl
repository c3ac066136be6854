{{/* What the restricted Pod Security Standard asks of a pod and of a container. */}}
{{- define "parking.podSecurity" -}}
runAsNonRoot: true
{{- if not (kindIs "invalid" .Values.runAsUser) }}
runAsUser: {{ int64 .Values.runAsUser }}
runAsGroup: {{ int64 .Values.runAsUser }}
{{- end }}
{{- if not (kindIs "invalid" .Values.fsGroup) }}
fsGroup: {{ int64 .Values.fsGroup }} # may read the cookie
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "parking.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "parking.mounts" -}}
- name: settings
  mountPath: /etc/parking/settings
  readOnly: true
- name: cookie
  mountPath: /etc/parking/cookie
  readOnly: true
- name: run
  mountPath: /run/parking
{{- end }}

{{/*
No subPath: what is mounted follows the ConfigMap and the Secret. The runtime
directory holds sockets, and histories of up to 288 MiB, mapped: on a disk the
kernel may put them aside, in memory they would count.
*/}}
{{- define "parking.volumes" -}}
- name: settings
  configMap:
    name: {{ include "parking.fullname" . }}
- name: cookie
  secret:
    secretName: {{ include "parking.secret" . }}
    defaultMode: 0400
- name: run
  emptyDir:
    sizeLimit: 320Mi
{{- end }}
