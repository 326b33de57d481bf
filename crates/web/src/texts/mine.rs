//! Texts of the page for mining.

use super::Lang;

/// The words of the page in a language.
#[allow(missing_docs, reason = "each field is its own text")]
pub(crate) struct MineTexts {
    pub(crate) nav: &'static str,
    pub(crate) title: &'static str,
    pub(crate) lead: &'static str,
    pub(crate) places: &'static str,
    pub(crate) place: &'static str,
    pub(crate) found: &'static str,
    pub(crate) is_found: &'static str,
    pub(crate) is_open: &'static str,
    pub(crate) tries: &'static str,
    pub(crate) reward: &'static str,
    pub(crate) no_script: &'static str,
    pub(crate) signed_out: &'static str,
    pub(crate) here: &'static str,
    pub(crate) start: &'static str,
    pub(crate) stop: &'static str,
    pub(crate) idle: &'static str,
    pub(crate) rate: &'static str,
    pub(crate) tried: &'static str,
    pub(crate) earned: &'static str,
    pub(crate) lost: &'static str,
    pub(crate) battery: &'static str,
    pub(crate) how: &'static str,
    pub(crate) lines: &'static [&'static str],
}

/// The words in a language.
pub(crate) fn texts(lang: Lang) -> &'static MineTexts {
    match lang {
        Lang::En => &EN,
        Lang::De => &DE,
    }
}

/// English.
const EN: MineTexts = MineTexts {
    nav: "Mine",
    title: "Earn treats by mining",
    lead: "Your device checks what the site shows, and then tries numbers until one fits. Whoever finds the first one of an age gets its treats.",
    places: "Where it pays",
    place: "Where",
    found: "This age",
    is_found: "found already: wait for the next age",
    is_open: "still to be found",
    tries: "Tries, on average",
    reward: "Reward",
    no_script: "Mining in this page needs JavaScript. Without it, use the command below.",
    signed_out: "Treats go to an account: join, or sign in.",
    here: "Mine here",
    start: "Start",
    stop: "Stop",
    idle: "Not mining.",
    rate: "Tries a second",
    tried: "Tries so far",
    earned: "Treats earned",
    lost: "Others were faster",
    battery: "It uses one core of your device, and pauses while you look at another tab or the battery runs low.",
    how: "How it works",
    lines: &[
        "An age begins whenever pets get older. In each, one number is paid for; it can't be found in advance, because it depends on the block that began the age, and not be stolen, because it depends on your account.",
        "The more people search, the more tries it takes: most ages are found, whoever takes part.",
        "Before anything is searched, your browser decides the newest block again, as “check it yourself” does. If it is wrong, mining stops and says so.",
        "The reward comes out of what the house earned; only what is missing is made anew. It can be spent at once.",
        "The command line does more: it checks every block from the first one on, uses all cores, mines in several places at once, and mines time where nothing happens, which pays more.",
    ],
};

/// German.
const DE: MineTexts = MineTexts {
    nav: "Schürfen",
    title: "Leckerlis verdienen durch Schürfen",
    lead: "Dein Gerät prüft, was die Seite zeigt, und probiert dann Zahlen, bis eine passt. Wer die erste eines Alters findet, bekommt dessen Leckerlis.",
    places: "Wo es sich lohnt",
    place: "Wo",
    found: "Dieses Alter",
    is_found: "schon gefunden: warte auf das nächste",
    is_open: "noch zu finden",
    tries: "Versuche im Schnitt",
    reward: "Belohnung",
    no_script: "Schürfen auf dieser Seite braucht JavaScript. Ohne geht der Befehl weiter unten.",
    signed_out: "Leckerlis gehen an ein Konto: mach mit oder melde dich an.",
    here: "Hier schürfen",
    start: "Anfangen",
    stop: "Aufhören",
    idle: "Es wird nicht geschürft.",
    rate: "Versuche je Sekunde",
    tried: "Versuche bisher",
    earned: "Verdiente Leckerlis",
    lost: "Andere waren schneller",
    battery: "Es benutzt einen Kern deines Geräts und macht Pause, solange du einen anderen Tab ansiehst oder der Akku zur Neige geht.",
    how: "Wie es geht",
    lines: &[
        "Ein Alter beginnt, sooft die Tiere älter werden. In jedem wird eine Zahl bezahlt; sie ist nicht im Voraus zu finden, weil sie von dem Block abhängt, mit dem das Alter begann, und nicht zu stehlen, weil sie von deinem Konto abhängt.",
        "Je mehr suchen, desto mehr Versuche braucht es: die meisten Alter werden gefunden, wer auch mitmacht.",
        "Bevor gesucht wird, entscheidet dein Browser den neuesten Block noch einmal, wie bei „Prüf es selbst“. Ist er falsch, hört das Schürfen auf und sagt es.",
        "Die Belohnung kommt aus dem, was das Haus verdient hat; nur was fehlt, wird neu gemacht. Du kannst sie sofort ausgeben.",
        "Die Kommandozeile kann mehr: sie prüft jeden Block vom ersten an, benutzt alle Kerne, schürft an mehreren Orten zugleich, und schürft Zeit, wo nichts geschieht; das bringt mehr.",
    ],
};
