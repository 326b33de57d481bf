//! Texts of reports, verdicts and erasing.

macro_rules! texts {
    ($($field:ident: $en:literal, $de:literal;)*) => {
        /// The texts, by where they stand.
        pub(crate) struct ModerationTexts { $(pub(crate) $field: &'static str),* }

        /// English.
        pub(crate) const EN: ModerationTexts = ModerationTexts { $($field: $en),* };

        /// German.
        pub(crate) const DE: ModerationTexts = ModerationTexts { $($field: $de),* };
    };
}

texts! {
    nav: "Moderation", "Moderation";
    report: "Report", "Melden";
    erase: "Erase this text", "Diesen Text löschen";
    log_title: "What moderators did", "Was Moderatoren taten";
    log_lead:
        "Every verdict is on the ledger, with its reason, for ever. A hidden text is taken out of pages, feeds and search; the signed original stays where it is, so that you can judge the moderators.",
        "Jede Entscheidung steht mit ihrem Grund für immer im Kassenbuch. Ein verborgener Text verschwindet von Seiten, aus Feeds und Suche; das signierte Original bleibt, wo es ist, damit du die Moderatoren beurteilen kannst.";
    log_none: "No moderator has hidden anything yet.", "Noch hat kein Moderator etwas verborgen.";
    queue_title: "Reported", "Gemeldet";
    queue_lead:
        "What accounts reported and no moderator has decided on, most reported first. Nobody sees who reported it.",
        "Was Konten gemeldet haben und noch kein Moderator entschieden hat, das am häufigsten Gemeldete zuerst. Niemand sieht, wer es gemeldet hat.";
    queue_none: "Nothing waits for a decision.", "Nichts wartet auf eine Entscheidung.";
    what: "What", "Was";
    verdict: "Verdict", "Entscheidung";
    reason: "Reason", "Grund";
    when: "When", "Wann";
    reporters: "Reports", "Meldungen";
    hidden: "hidden", "verborgen";
    shown: "shown", "gezeigt";
    hide: "Hide", "Verbergen";
    keep: "Leave it", "Stehen lassen";
    birth: "a pet", "ein Tier";
    post: "a post", "ein Beitrag";
    comment: "a comment", "ein Kommentar";
    unknown: "nothing that is known here", "nichts, was hier bekannt ist";
    no_text: "(no text)", "(kein Text)";
    spam: "advertising", "Werbung";
    harassment: "hurts somebody", "verletzt jemanden";
    cruelty: "cruelty to animals", "Tierquälerei";
    privacy: "somebody’s own affair", "geht niemanden etwas an";
    illegal: "against the law", "verboten";
    other: "something else", "etwas anderes";
    moderators: "Who moderates", "Wer moderiert";
    moderators_lead:
        "Whoever holds one of these keys. The operator appoints them by an event on the ledger.",
        "Wer einen dieser Schlüssel hat. Der Betreiber ernennt sie durch ein Ereignis im Kassenbuch.";
}

impl ModerationTexts {
    /// What a kind of event is called.
    pub(crate) fn kind(&self, kind: Option<&str>) -> &'static str {
        match kind {
            Some("birth") => self.birth,
            Some("post") => self.post,
            Some("comment") => self.comment,
            _ => self.unknown,
        }
    }

    /// What a reason of a report is called.
    pub(crate) fn reason_of(&self, reason: &str) -> &'static str {
        match reason {
            "spam" => self.spam,
            "harassment" => self.harassment,
            "cruelty" => self.cruelty,
            "privacy" => self.privacy,
            "illegal" => self.illegal,
            _ => self.other,
        }
    }
}
