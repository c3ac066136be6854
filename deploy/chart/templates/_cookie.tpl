{{/*
The cookie, base64. Given by hand it rules; else what the Secret holds is kept,
also after it was rotated there; else this is the first install and one is made.
*/}}
{{- define "parking.cookie" -}}
{{- $secret := include "parking.secret" . -}}
{{- $key := .Values.cookie.key -}}
{{- $old := lookup "v1" "Secret" .Release.Namespace $secret -}}
{{- $data := dict -}}
{{- if $old -}}{{- $data = default dict $old.data -}}{{- end -}}
{{- if .Values.cookie.value -}}
{{- .Values.cookie.value | b64enc -}}
{{- else if hasKey $data $key -}}
{{- get $data $key -}}
{{- else if $data -}}
{{- fail (printf "the Secret %s has no %s, but %s: another cookie would part the new pods from those that run; leave cookie.key as it was" $secret $key (keys $data | sortAlpha | join ", ")) -}}
{{- else -}}
{{- randAlphaNum 43 | b64enc -}}
{{- end -}}
{{- end }}

{{/* Whether this upgrade puts another cookie into the Secret than it holds. */}}
{{- define "parking.cookieChanges" -}}
{{- if and .Values.cookie.value (not .Values.cookie.existingSecret) -}}
{{- $old := lookup "v1" "Secret" .Release.Namespace (include "parking.secret" .) -}}
{{- if and $old $old.data -}}
{{- if ne (get $old.data .Values.cookie.key) (.Values.cookie.value | b64enc) -}}
true
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
