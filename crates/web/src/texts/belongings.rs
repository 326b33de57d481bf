//! Texts of what an account keeps and is told: profile, bookmarks, mutes, notices, its data.

macro_rules! texts {
    ($($field:ident: $en:literal, $de:literal;)*) => {
        /// The texts, by where they stand.
        pub(crate) struct BelongingsTexts { $(pub(crate) $field: &'static str),* }

        /// English.
        pub(crate) const EN: BelongingsTexts = BelongingsTexts { $($field: $en),* };

        /// German.
        pub(crate) const DE: BelongingsTexts = BelongingsTexts { $($field: $de),* };
    };
}

texts! {
    activity: "What they did lately", "Was sie zuletzt taten";
    activity_none: "Nothing lately.", "In letzter Zeit nichts.";
    notices: "What happened", "Was geschah";
    notices_lead:
        "What others did for the living pets of this account.",
        "Was andere für die lebenden Tiere dieses Kontos taten.";
    notices_none: "Nobody came by lately.", "In letzter Zeit kam niemand vorbei.";
    fading: "is fading. A post, or a pat by a friend, begins its days anew:", "wird schwächer. Ein Beitrag, oder ein Streicheln von Freunden, gibt ihm alle Tage zurück:";
    ended: "lived its life. A keepsake can be made of it.", "hat sein Leben gelebt. Daraus kann ein Andenken werden.";
    bookmarks: "Bookmarks", "Lesezeichen";
    bookmarks_none: "You have no bookmarks. Each post has a button for it.", "Du hast keine Lesezeichen. Jeder Beitrag hat einen Knopf dafür.";
    bookmarks_hint:
        "Bookmarks and mutes are encrypted in your browser. The server keeps them and can’t read them.",
        "Lesezeichen und Stummgeschaltetes verschlüsselt dein Browser. Der Server hebt sie auf und kann sie nicht lesen.";
    posts_title: "Chosen posts", "Ausgewählte Beiträge";
    posts_none: "None of these posts is here.", "Keiner dieser Beiträge ist hier.";
    mutes: "Muted", "Stummgeschaltet";
    mutes_none: "You muted nobody and no tag.", "Du hast niemanden und kein Schlagwort stummgeschaltet.";
    mute_account: "Mute this account", "Dieses Konto stummschalten";
    mute_tag: "Mute this tag", "Dieses Schlagwort stummschalten";
    profile: "Your profile", "Dein Profil";
    bio: "About you (may be empty)", "Über dich (darf leer sein)";
    bio_hint: "At most 280 characters, for everybody to read.", "Höchstens 280 Zeichen, die alle lesen können.";
    avatar: "Your picture", "Dein Bild";
    avatar_hint: "A photo of one of your pets or posts.", "Ein Foto eines deiner Tiere oder Beiträge.";
    avatar_none: "None", "Keines";
    avatar_of: "Picture of", "Bild von";
    save: "Save", "Speichern";
    export: "All your data", "Alle deine Daten";
    export_lead:
        "One file (JSON) with your account, your profile, your bookmarks and mutes, your pets with every event of their stories, where their photos are, and all that you ever did, for other pets, too, as you signed it. The whole ledger is gone through for that, which can take a while.",
        "Eine Datei (JSON) mit deinem Konto, deinem Profil, deinen Lesezeichen und Stummgeschaltetem, deinen Tieren mit jedem Ereignis ihrer Geschichten, wo ihre Fotos sind, und allem, was du je tatest, auch für andere Tiere, wie du es unterschrieben hast. Dafür wird das ganze Kassenbuch durchgesehen, was dauern kann.";
    export_button: "Gather it", "Zusammenstellen";
    export_link: "Save the file", "Datei speichern";
    homes: "Homes before", "Frühere Zuhause";
    until: "until", "bis";
}
