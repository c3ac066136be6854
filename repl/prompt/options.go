package prompt

import goprompt "github.com/c-bata/go-prompt"

// grey is legible on light and on dark.
const grey = 243

// options are the looks, keys and hooks of go-prompt.
func (s *session) options() []goprompt.Option {
	color := goprompt.DefaultColor
	if s.cfg.Color != 0 {
		color = indexed + goprompt.Color(s.cfg.Color)
	}
	return []goprompt.Option{
		goprompt.OptionParser(s.keys),
		goprompt.OptionWriter(s.screen),
		goprompt.OptionLivePrefix(func() (string, bool) { return s.menu.prefix, true }),
		goprompt.OptionSetExitCheckerOnInput(s.keys.leaving),
		goprompt.OptionBreakLineCallback(s.lineBroken),
		goprompt.OptionAddASCIICodeBind(wordKeys...),
		goprompt.OptionAddKeyBind(otherKeys...),

		goprompt.OptionPrefixTextColor(color),
		goprompt.OptionPreviewSuggestionTextColor(color),
		goprompt.OptionSuggestionTextColor(goprompt.DefaultColor),
		goprompt.OptionSuggestionBGColor(goprompt.DefaultColor),
		goprompt.OptionSelectedSuggestionTextColor(goprompt.Black),
		goprompt.OptionSelectedSuggestionBGColor(goprompt.LightGray),
		goprompt.OptionDescriptionTextColor(indexed + grey),
		goprompt.OptionDescriptionBGColor(goprompt.DefaultColor),
		goprompt.OptionSelectedDescriptionTextColor(goprompt.Black),
		goprompt.OptionSelectedDescriptionBGColor(goprompt.LightGray),
		goprompt.OptionScrollbarBGColor(goprompt.DefaultColor),
	}
}
