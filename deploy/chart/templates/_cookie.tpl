{{/*
The cookie that a Secret of the cluster has, as the program reads it: without the
end of its line. Nothing where there is no such Secret, or no cluster to look into.
*/}}
{{- define "parking.cookieIn" -}}
{{- $secret := lookup "v1" "Secret" .namespace .secret -}}
{{- get (default dict $secret.data) .key | b64dec | trimSuffix "\n" | trimSuffix "\r" -}}
{{- end }}

{{/*
The cookie that pods find. What the Secret holds rules, also after it was rotated
there; if there is none yet, it is what is given, or one is made.
*/}}
{{- define "parking.cookie" -}}
{{- $secret := include "parking.secret" . -}}
{{- $given := default "" .Values.cookie.value | trimSuffix "\n" | trimSuffix "\r" -}}
{{- $kept := include "parking.cookieIn" (dict "namespace" .Release.Namespace "secret" $secret "key" .Values.cookie.key) -}}
{{- if and $kept $given (ne $kept $given) -}}
{{- fail (printf "cookie.value is not what the Secret %s holds, and pods with another cookie would lose each other; first rotate the cookie and put the new one into the Secret, as docs/kubernetes.md tells, or delete a Secret that no pod uses" $secret) -}}
{{- end -}}
{{- if not $kept -}}
{{- with (lookup "v1" "Secret" .Release.Namespace $secret).data -}}
{{- fail (printf "cookie.key: the Secret %s has no %s, but %s" $secret $.Values.cookie.key (keys . | sortAlpha | join ", ")) -}}
{{- end -}}
{{- if not .Values.cookie.existingSecret -}}
{{- $kept = default (randAlphaNum 43) $given -}}
{{- end -}}
{{- end -}}
{{- $kept -}}
{{- end }}
