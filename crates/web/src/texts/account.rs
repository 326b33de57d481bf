//! Texts of the account's pages.

macro_rules! texts {
    ($($field:ident: $en:literal, $de:literal;)*) => {
        /// The texts, by where they stand.
        pub(crate) struct AccountTexts { $(pub(crate) $field: &'static str),* }

        /// English.
        pub(crate) const EN: AccountTexts = AccountTexts { $($field: $en),* };

        /// German.
        pub(crate) const DE: AccountTexts = AccountTexts { $($field: $de),* };
    };
}

texts! {
    no_script:
        "This page needs JavaScript: your key is made and kept by your own browser, so the browser has to run something. Reading PitPet works without.",
        "Diese Seite braucht JavaScript: dein eigener Browser macht und behält deinen Schlüssel, also muss er etwas ausführen. Lesen geht ohne.";
    stuck: "This page could not load its scripts.", "Diese Seite konnte ihre Skripte nicht laden.";
    reload: "Reload", "Neu laden";
    join_title: "Join", "Mitmachen";
    join_lead:
        "A pet lives while others care. Give yours a name, a photo and a story.",
        "Ein Tier lebt, solange andere sich kümmern. Gib deinem einen Namen, ein Foto und eine Geschichte.";
    again: "A new story for", "Eine neue Geschichte für";
    has_pet: "You have a living pet here already.", "Du hast hier schon ein lebendes Tier.";
    pet_legend: "Your pet", "Dein Tier";
    pet_name: "Its name", "Wie es heißt";
    photo: "A photo of it", "Ein Foto von ihm";
    photo_hint:
        "From your camera or a file. It is cropped to a square here in your browser; where and when it was taken is removed before anything is sent.",
        "Von der Kamera oder aus einer Datei. Dein Browser schneidet es quadratisch zu und entfernt, wo und wann es aufgenommen wurde, bevor etwas gesendet wird.";
    preview_alt: "The photo as it will be shown", "Das Foto, wie es zu sehen sein wird";
    story: "Its story so far (may be empty)", "Seine Geschichte bisher (darf leer sein)";
    account_legend: "You", "Du";
    user: "User name", "Benutzername";
    user_hint:
        "3 to 30 of a-z, 0-9, - and _, the first a letter. Everyone can see it, and it stays yours.",
        "3 bis 30 von a-z, 0-9, - und _, zuerst ein Buchstabe. Alle können ihn sehen, und er bleibt deiner.";
    password: "Password", "Passwort";
    password_hint:
        "At least 10 characters. Four or five random words are hard to guess and easy to remember.",
        "Mindestens 10 Zeichen. Vier oder fünf zufällige Wörter sind schwer zu raten und leicht zu merken.";
    password_again: "The same password again", "Dasselbe Passwort noch einmal";
    warning:
        "Nobody can reset this password, not even who runs this site: it never leaves your browser. The key file is locked with it too. If you forget it the account is gone, unless you made a key file under another password.",
        "Niemand kann dieses Passwort zurücksetzen, auch nicht der Betreiber: es verlässt deinen Browser nie. Auch die Schlüsseldatei ist damit verschlossen. Vergisst du es, ist das Konto verloren, außer du hast eine Schlüsseldatei unter einem anderen Passwort gemacht.";
    join_button: "Begin the story", "Die Geschichte beginnen";
    born: "Your pet is here!", "Dein Tier ist da!";
    key_file_why:
        "Keep a key file: it opens your account under the same password, on any device and without this server. The command line reads it too.",
        "Hebe eine Schlüsseldatei auf: sie öffnet dein Konto unter demselben Passwort, auf jedem Gerät und ohne diesen Server. Auch die Kommandozeile liest sie.";
    key_file_other:
        "Another password for the file (empty: the same)",
        "Ein anderes Passwort für die Datei (leer: dasselbe)";
    key_file_other_hint:
        "A file under another password, both kept in a safe place, is your way back if you forget the one that you use.",
        "Eine Datei unter einem anderen Passwort, beide sicher aufbewahrt, ist dein Weg zurück, falls du das vergisst, das du benutzt.";
    key_file_link: "Save the key file", "Schlüsseldatei speichern";
    key_file_button: "Make a key file", "Schlüsseldatei machen";
    to_pet: "To your pet", "Zu deinem Tier";
    signin_title: "Sign in", "Anmelden";
    by_password: "With name and password", "Mit Name und Passwort";
    by_password_hint:
        "The password stays in your browser. The server hands out an encrypted vault that only the password opens, and answers 20 attempts an hour.",
        "Das Passwort bleibt in deinem Browser. Der Server gibt einen verschlüsselten Tresor heraus, den nur das Passwort öffnet, und beantwortet 20 Versuche in der Stunde.";
    signin_button: "Sign in", "Anmelden";
    by_file: "With your key file", "Mit deiner Schlüsseldatei";
    by_file_hint:
        "A file of this site or of the command line. It is opened in your browser and sent nowhere.",
        "Eine Datei dieser Seite oder der Kommandozeile. Dein Browser öffnet sie und schickt sie nirgendwohin.";
    file: "The file", "Die Datei";
    file_password: "Its password", "Ihr Passwort";
    me_title: "Your account", "Dein Konto";
    me_signed_out: "Nobody is signed in on this device.", "Auf diesem Gerät ist niemand angemeldet.";
    me_account: "Account", "Konto";
    sign_out: "Sign out", "Abmelden";
    sign_out_hint:
        "You stay signed in on this device until then. The browser keeps the key so that no page can read it, this one neither.",
        "Bis dahin bleibst du auf diesem Gerät angemeldet. Der Browser behält den Schlüssel so, dass keine Seite ihn lesen kann, auch diese nicht.";
    change_password: "Change the password", "Passwort ändern";
    password_old: "Your password until now", "Dein bisheriges Passwort";
    password_new: "The new password", "Das neue Passwort";
    renew: "Set a password with your key file", "Passwort mit der Schlüsseldatei setzen";
    renew_hint:
        "If you forgot the password and have a key file under another one, or if you replaced your key with the command line: choose the newest key file. From then on the password opens what is in it, and this device signs with its keys.",
        "Falls du das Passwort vergessen hast und eine Schlüsseldatei unter einem anderen hast, oder falls du deinen Schlüssel auf der Kommandozeile ersetzt hast: wähle die neueste Schlüsseldatei. Danach öffnet das Passwort, was in ihr steht, und dieses Gerät unterschreibt mit ihren Schlüsseln.";
}
